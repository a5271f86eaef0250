"""One blow of each kind; `make chaos` tries a hundred."""

import torch
from kills import Blow


def test_the_training_is_worth_the_trial(undisturbed):
    """It has averaged weights, and its teacher has taught."""
    content = torch.load(undisturbed[1] / "checkpoints" / "last.ckpt", weights_only=True)
    assert "averaging_state" in content
    (taught,) = [state for key, state in content["callbacks"].items() if key.startswith("Teacher")]
    assert taught["rounds"] == 3
    assert sum(len(sure) + len(unsure) for sure, unsure in taught["additions"].values()) > 0


def test_a_training_that_was_struck_ends_as_if_nothing_had_happened(undisturbed, tmp_path):
    """Struck three times with SIGKILL, at random, while it writes, and with a torn file; and once with SIGTERM."""
    training, wanted, seconds = undisturbed
    kinds = ("kill", "kill while writing", "tear", "term")
    blows = [Blow(kind, share * seconds) for kind, share in zip(kinds, (0.7, 0.4, 0.45, 0.45), strict=True)]
    assert training.survives(tmp_path / "run", blows, wanted) == []
