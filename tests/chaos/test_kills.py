"""A few kills in the tests; `make chaos` tries a hundred."""

import time

import pytest
import torch
from kills import Training, moments


@pytest.fixture(scope="session")
def undisturbed(spots, tiny, tmp_path_factory):
    """A training, its end when nothing happens to it, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("chaos")
    training = Training(spots, tiny, folder)
    began = time.monotonic()
    assert training.run(folder / "wanted") == 0
    return training, folder / "wanted", time.monotonic() - began


def test_the_training_is_worth_the_trial(undisturbed):
    """It has averaged weights, and its teacher has taught."""
    content = torch.load(undisturbed[1] / "checkpoints" / "last.ckpt", weights_only=True)
    assert "averaging_state" in content
    (taught,) = [state for key, state in content["callbacks"].items() if key.startswith("Teacher")]
    assert taught["rounds"] == 3
    assert sum(len(sure) + len(unsure) for sure, unsure in taught["additions"].values()) > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_killed_training_ends_as_if_nothing_had_happened(undisturbed, tmp_path, seed):
    training, wanted, seconds = undisturbed
    assert training.survives(tmp_path / "run", moments(seed, seconds), wanted) == []
