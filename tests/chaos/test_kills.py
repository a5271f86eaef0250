"""One blow of each kind; `make chaos` tries a hundred."""

import pytest
import torch
from kills import Blow


def test_the_training_is_worth_the_trial(undisturbed):
    """It has averaged weights, and its teacher has taught."""
    content = torch.load(undisturbed[1] / "checkpoints" / "last.ckpt", weights_only=True)
    assert "averaging_state" in content
    (taught,) = [state for key, state in content["callbacks"].items() if key.startswith("Teacher")]
    assert taught["rounds"] == 3
    assert sum(len(sure) + len(unsure) for sure, unsure in taught["additions"].values()) > 0


@pytest.mark.parametrize("kind", ["kill", "kill while writing", "tear", "term"])
def test_a_training_that_was_struck_ends_as_if_nothing_had_happened(undisturbed, tmp_path, kind):
    training, wanted, seconds = undisturbed
    assert training.survives(tmp_path / "run", [Blow(kind, 0.75 * seconds)], wanted) == []
