"""A loss that is no number stops the training; reduced precision makes none."""

import re

import pytest
import torch
from bright import bright_module, quiet_trainer, spot_data
from tiny_run import fit_words
from torch import nn

from carcinosis_loc import losses
from carcinosis_loc.callbacks import FiniteLoss
from carcinosis_loc.cli import main
from carcinosis_loc.losses import HeatmapLoss

KINDS = [
    one
    for one in vars(losses).values()
    if isinstance(one, type) and issubclass(one, HeatmapLoss) and not one.__abstractmethods__
]
LOSSES = [one(losses.CragAndTail()) if one is losses.PeakCorrection else one() for one in KINDS]


class SmallNet(nn.Sequential):
    """Two strided convolutions with batch norm, and a head."""

    stride = 4

    def __init__(self):
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8)]
        super().__init__(*layers, nn.ReLU(), nn.Conv2d(8, 1, 1))

    def forward(self, image):
        return super().forward(image.float() / 255)


def test_a_run_that_blows_up_says_where(spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path / "run", "--data.samples_per_epoch", "8")
    assert main([*words, "--trainer.max_epochs", "1"]) == 0
    before = (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes()
    capsys.readouterr()
    wild = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e30", "--model.scheduler", "null"]
    fresh = fit_words(spots, tiny, tmp_path / "wild", "--data.samples_per_epoch", "8", *wild)
    assert main(fresh) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    step, ids = re.search(
        r"the loss is (?:nan|-?inf) at step (\d+) \(epoch \d\), on the images with the ids ([\d, ]+);", error
    ).groups()
    assert int(step) > 0
    assert len(ids.split(", ")) == 4
    assert set(map(int, ids.split(", "))) <= set(range(1, 13))
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes() == before


class BreaksLater(HeatmapLoss):
    """A loss that is NaN from its ninth call on."""

    calls = 0

    def value(self, logits, target, mask):
        self.calls += 1
        return logits.mean() * (float("nan") if self.calls >= 9 else 1.0)


def test_the_last_good_checkpoint_is_named_and_no_weight_is_harmed(spots, tmp_path):
    from carcinosis_loc.callbacks import LastCheckpoint
    from carcinosis_loc.errors import RunError

    module = bright_module()
    module.loss = BreaksLater()
    callbacks = [FiniteLoss(), LastCheckpoint(tmp_path / "checkpoints")]
    trainer = quiet_trainer(tmp_path, *callbacks, max_epochs=9, enable_checkpointing=True, limit_val_batches=0)
    with pytest.raises(RunError, match=r"at step 8 .* the last good checkpoint is .*last\.ckpt"):
        trainer.fit(module, spot_data(spots))
    assert all(torch.isfinite(one).all() for one in module.parameters())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda one: type(one).__name__)
def test_bfloat16_trains_without_a_nan(loss, spots, tmp_path):
    module = bright_module(SmallNet())
    module.loss = loss
    module.optimizer = lambda parameters: torch.optim.AdamW(parameters, lr=0.1)
    before = module.net[0].weight.detach().clone()
    trainer = quiet_trainer(tmp_path, FiniteLoss(), max_epochs=2, precision="bf16-mixed", limit_val_batches=0)
    trainer.fit(module, spot_data(spots))
    assert (module.net[0].weight != before).any()
    assert all(torch.isfinite(one).all() for one in module.parameters())


def test_extreme_logits_in_half_precision_are_finite():
    """What float16 and bfloat16 can hold, and gradients to match."""
    target = torch.zeros(1, 1, 4, 4)
    target[0, 0, 1, 1] = 1
    for loss in LOSSES:
        for kind, most in ((torch.float16, 6e4), (torch.bfloat16, 1e4)):
            logits = torch.tensor([-most, -20, 0, most]).repeat(4, 1)[None, None].to(kind).requires_grad_()
            value = loss(logits, target)
            value.backward()
            assert torch.isfinite(value), (type(loss).__name__, kind)
            assert torch.isfinite(logits.grad).all(), (type(loss).__name__, kind)
