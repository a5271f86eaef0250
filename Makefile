# Everything goes into .venv/ and runs/; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: help install demo weights test results chaos audit lint types bench docs clean

help:  ## show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: $(STAMP)  ## set up .venv/ with the package, all extras, and carcloc in it

# torch first and pinned: an unpinned one would bring CUDA along on machines that have no GPU.
$(STAMP): pyproject.toml requirements/constraints.txt requirements/openmmlab.txt
	@echo "Setting up $(VENV)/: torch, packages, mmpose (a few minutes the first time)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c requirements/constraints.txt torch
	$(BIN)/python -m pip install -c requirements/constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --no-deps -r requirements/openmmlab.txt
	@touch $@

DEMO := runs/demo
demo: install  ## make data, train, test and predict; all of it under runs/demo/
	rm -rf $(DEMO)
	$(BIN)/carcloc synth $(DEMO)/data
	$(BIN)/carcloc fit --config demo.yaml \
	    --trainer.default_root_dir $(DEMO) --data.image_dir $(DEMO)/data/images \
	    --data.train_json $(DEMO)/data/annotations/train_sparse.json --data.val_json $(DEMO)/data/annotations/val_sparse.json
	$(BIN)/carcloc test --ckpt_path $(DEMO)/checkpoints/best.ckpt --data.image_dir $(DEMO)/data/images \
	    --data.test_json $(DEMO)/data/annotations/test_dense.json
	$(BIN)/carcloc predict --ckpt_path $(DEMO)/checkpoints/best.ckpt --data.image_dir $(DEMO)/data/images \
	    --data.predict_source $(DEMO)/data/annotations/test_dense.json
	$(BIN)/carcloc report $(DEMO)
	$(BIN)/carcloc report $(DEMO)/predictions
	@$(BIN)/python -m carcinosis_loc.summary $(DEMO)

# Nodules and wet spots look alike at first; a network that can tell them apart is a better start than none.
WEIGHTS := runs/weights
weights: install  ## train a network on synthetic frames, with all their labels, for others to begin with; ten minutes
	rm -rf $(WEIGHTS)
	$(BIN)/carcloc synth $(WEIGHTS)/data --n-train 1584
	$(BIN)/carcloc fit --config demo.yaml --trainer.max_epochs 24 --wandb off \
	    --trainer.default_root_dir $(WEIGHTS) --data.image_dir $(WEIGHTS)/data/images \
	    --data.train_json $(WEIGHTS)/data/annotations/train_dense.json --data.val_json $(WEIGHTS)/data/annotations/val_dense.json
	@echo "--model.net.init_checkpoint $(WEIGHTS)/checkpoints/best.ckpt"

# A thread for each worker: more would wait for each other.
test: install  ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

NUCLEI ?= nuclei
RETINA ?= retina
STUDIES ?= $(basename $(notdir $(wildcard configs/studies/*.yaml)))
results: install  ## run STUDIES (all that are shipped) and put their tables into docs/results.md; days on two cores
	$(BIN)/python docs/results/remake.py --folder nuclei=$(NUCLEI) --folder retina=$(RETINA) $(STUDIES)

KILLS ?= 100
MEMORY ?= 1
FUZZ ?= 20000
# The kills come last: their line "survived N of N" is the last that is printed.
chaos: install  ## FUZZ=20000 hostile files, new examples, slow tests of faults and ranks, memory, KILLS=100 kills; hours
	$(BIN)/python tests/chaos/fuzz.py --cases $(FUZZ)
	$(BIN)/python -m pytest tests -m 'hypothesis and not gpu' --hypothesis-profile=default
	$(BIN)/python -m pytest tests/processes tests/faults tests/chaos -m 'not gpu' -o timeout=1800
ifneq ($(MEMORY),0)
	$(BIN)/python tests/chaos/memory.py runs/chaos
endif
	$(BIN)/python tests/chaos/run.py --trials $(KILLS)

audit: install  ## ask a server for known vulnerabilities of the pinned versions
	$(BIN)/python requirements/audit.py

lint: install  ## check the style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install  ## check the types
	$(BIN)/mypy

PART ?=
bench: install  ## time our code against the plain way; writes bench.json; PART=predict takes one part
	$(BIN)/python tests/benchmarks/run.py $(addprefix --part ,$(PART))

docs: install  ## check that links in the docs lead somewhere and that their commands exist
	$(BIN)/python -m pytest -q tests/test_docs.py

clean:  ## remove what the targets made
	rm -rf $(VENV) runs bench.json .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
