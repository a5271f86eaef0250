"""Small data sets that tests share: drawn, not downloaded."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import pytest
import torch
import yaml
from spots import draw_spots
from tiny_run import TINY, fit_words

from carcinosis_loc.cli import main

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def spots(tmp_path_factory):
    """See ``draw_spots``."""
    folder = tmp_path_factory.mktemp("spots")
    draw_spots(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A config to stack on demo.yaml: small crops, no workers."""
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return str(path)


@pytest.fixture(scope="session")
def run(spots, tiny, tmp_path_factory):
    """A fitted run."""
    root = tmp_path_factory.mktemp("run")
    assert main(fit_words(spots, tiny, root, "--data.val_json", str(spots / "val.json"))) == 0
    return root


@pytest.fixture(scope="session")
def fitted(run):
    """The checkpoint of a fitted run."""
    return run / "checkpoints" / "best.ckpt"
