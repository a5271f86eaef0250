"""``make results``: studies are run, and what they found comes into the page of results."""

import importlib.util
import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from studies import Fake

from carcinosis_loc.study import read_plan, run_study

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"


@pytest.fixture
def remake():
    spec = importlib.util.spec_from_file_location("remake", ROOT / "docs" / "results" / "remake.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_holds_the_tables_that_lie_beside_it(remake):
    for folder in sorted(path for path in (ROOT / "docs" / "results").iterdir() if (path / "table.md").exists()):
        assert remake.section_of(folder.name) in PAGE.read_text(), f"{folder.name}: see make results"


def test_a_table_takes_the_place_of_the_one_before(remake):
    page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n"
    once = remake.with_table(page, "x", "new\n")
    assert once == "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n"
    assert remake.with_table(once, "x", "new") == once
    with pytest.raises(SystemExit, match="lacks the lines <!-- y -->"):
        remake.with_table(page, "y", "new")


def test_a_study_that_is_done_comes_into_the_page(remake, tmp_path, monkeypatch):
    nuclei, runs = tmp_path / "nuclei", tmp_path / "runs"
    nuclei.mkdir()
    plan = read_plan("lambda.yaml", [], {"out": str(runs / "lambda"), "nuclei": str(nuclei)})
    run_study(plan, runs / "lambda", "lambda=1.0", command=Fake())
    docs = tmp_path / "docs"
    (docs / "results" / "lambda").mkdir(parents=True)
    (docs / "results" / "lambda" / "f1_by_gone.png").touch()
    (docs / "results.md").write_text("# R\n<!-- lambda -->\n<!-- end of lambda -->\n")
    monkeypatch.setattr(remake, "DOCS", docs)
    monkeypatch.setattr(remake, "PAGE", docs / "results.md")
    told = ["--runs", str(runs), "--folder", f"nuclei={nuclei}", "--folder", "retina=nowhere", "--only", "lambda=1.0"]
    monkeypatch.setattr(sys, "argv", ["remake.py", *told, "lambda"])
    remake.main()
    kept = {path.name: path.read_bytes() for path in (docs / "results" / "lambda").iterdir()}
    assert sorted(kept) == ["f1.png", "records.jsonl", "runs.csv", "table.md"]
    page = (docs / "results.md").read_text()
    assert "| 1.0 | 3 | 0.500" in page
    assert "lambda.yaml: 3 of 12 runs. carcloc " in page
    assert "![lambda](results/lambda/f1.png)" in page
    shutil.rmtree(runs)  # another machine: what is on record is not run again, and says the same
    remake.main()
    again = {path.name: path.read_bytes() for path in (docs / "results" / "lambda").iterdir()}
    assert again == kept
    assert not list(runs.glob("lambda/runs/*/run.log"))


RECORD = {"name": "lambda=1.0,seed=0", "run.json": {}, "metrics.json": {}, "done.json": {}, "groups": {"p0": [1, 2, 3]}}


@pytest.fixture
def recorded(remake, tmp_path, monkeypatch):
    """Two runs on record."""
    folder = tmp_path / "docs" / "results" / "lambda"
    folder.mkdir(parents=True)
    lines = [RECORD, RECORD | {"name": "lambda=0.5,seed=0"}]
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setattr(remake, "DOCS", tmp_path / "docs")
    return folder / "records.jsonl"


def test_who_runs_all_anew_begins_with_nothing(remake, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(remake.subprocess, "run", lambda *_, **__: Namespace(returncode=1))
    for words, restored in ((["--anew"], False), ([], True)):
        monkeypatch.setattr(sys, "argv", ["remake.py", "--runs", str(tmp_path), *words, "lambda"])
        with pytest.raises(SystemExit, match="not all is done"):
            remake.main()
        assert (tmp_path / "lambda" / "runs" / RECORD["name"] / "done.json").exists() == restored


def test_what_lies_there_is_not_touched_and_the_rest_restored(remake, recorded, tmp_path):
    there = tmp_path / "lambda" / "runs" / RECORD["name"]
    there.mkdir(parents=True)
    (tmp_path / "lambda" / "restored").mkdir()  # of a restoring that was killed
    remake.restore("lambda", tmp_path / "lambda")
    assert not list(there.iterdir())
    names = {path.name for path in (tmp_path / "lambda" / "runs" / "lambda=0.5,seed=0").iterdir()}
    assert names == {"run.json", "metrics.json", "done.json", "per_image.csv"}


def test_runs_of_another_machine_stay_on_record_and_those_of_no_plan_go(remake, recorded, tmp_path):
    recorded.write_text(recorded.read_text() + json.dumps(RECORD | {"name": "lambda=9,seed=0"}) + "\n")
    runs = tmp_path / "runs"
    (runs / "runs").mkdir(parents=True)
    for name in ("runs.csv", "table.md", "f1.png"):
        (runs / name).touch()
    (tmp_path / "nuclei").mkdir()
    plan = read_plan("lambda.yaml", [], {"out": str(runs), "nuclei": str(tmp_path / "nuclei")})
    remake.copy_report("lambda", runs, plan)
    kept = [json.loads(line)["name"] for line in recorded.read_text().splitlines()]
    assert kept == ["lambda=0.5,seed=0", "lambda=1.0,seed=0"]  # in the order of the plan


def test_a_study_that_failed_leaves_the_page(remake, tmp_path, monkeypatch):
    page = tmp_path / "results.md"
    page.write_text("<!-- lambda -->\nkept\n<!-- end of lambda -->\n")
    monkeypatch.setattr(remake, "PAGE", page)
    # Nobody says where nuclei lies, which both need.
    monkeypatch.setattr(sys, "argv", ["remake.py", "--runs", str(tmp_path), "lambda", "losses"])
    with pytest.raises(SystemExit, match="lambda, losses: not all is done"):
        remake.main()
    assert "kept" in page.read_text()
