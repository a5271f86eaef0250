"""Small data sets and runs that tests share: drawn, not downloaded."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import pytest
import torch
import yaml
from hypothesis import settings
from sharing import shared
from spots import draw_spots
from tiny_run import TINY, fit_words

from carcinosis_loc.cli import main

torch.set_num_threads(1)
# The same examples each time: what fails, fails for everybody. `make chaos` draws new ones.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def spots(tmp_path_factory):
    """See ``draw_spots``."""
    return shared(tmp_path_factory, "spots", draw_spots)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A config to stack on demo.yaml: few layers, small crops, no workers."""
    folder = shared(tmp_path_factory, "config", lambda folder: (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY)))
    return str(folder / "tiny.yaml")


@pytest.fixture(scope="session")
def run(spots, tiny, tmp_path_factory):
    """A fitted run; it is everyone's, so work on a copy of it."""

    def fit(folder):
        assert main(fit_words(spots, tiny, folder, "--data.val_json", str(spots / "val.json"))) == 0

    return shared(tmp_path_factory, "run", fit)


@pytest.fixture(scope="session")
def fitted(run):
    """The checkpoint of a fitted run."""
    return run / "checkpoints" / "best.ckpt"
