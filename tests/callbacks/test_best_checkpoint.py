"""Which epoch is kept as the best."""

import pytest
import torch
from bright import quiet_trainer
from lightning.pytorch import LightningModule

from carcinosis_loc.callbacks import BestCheckpoint


class Scored(LightningModule):
    """A run whose validations find this much."""

    def __init__(self, scores, error=None):
        super().__init__()
        self.weight, self.scores, self.error = torch.nn.Parameter(torch.zeros(1)), scores, error

    def train_dataloader(self):
        return [0]

    def val_dataloader(self):
        return [0]

    def training_step(self, batch, batch_idx):
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.log("val/selection", self.scores[self.current_epoch], batch_size=1)
        if self.error is not None:
            self.log("val/selection_error", self.error * self.scores[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([0.1, 0.3, 0.2], 1),
        ([0.3, 0.3, 0.2], 0),
        ([0.0, 0.0, 0.0], 2),
        ([0.0, 0.0, 0.2, 0.1], 2),
        ([0.2, 0.0, 0.0], 0),
        ([float("nan"), float("nan")], 1),
    ],
)
def test_it_is_the_first_of_the_highest_and_the_last_while_nothing_is_found(tmp_path, capsys, scores, kept):
    best = BestCheckpoint(tmp_path)
    quiet_trainer(tmp_path, best, max_epochs=len(scores), enable_checkpointing=True).fit(Scored(scores))
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == kept
    assert ("best.ckpt is the last epoch" in capsys.readouterr().out) == (not max(scores) > 0)


@pytest.mark.parametrize(
    ("scores", "error", "kept"),
    [
        ([0.1, 0.3, 0.29], 0.0, 1),
        ([0.1, 0.3, 0.29, 0.28], 0.05, 3),
        ([0.1, 0.3, 0.26, 0.28, 0.2], 0.05, 3),  # 0.27 is the limit
        ([0.3, 0.28, 0.26, 0.24], 0.05, 1),  # it does not wander off step by step
        ([0.3, 0.28, 0.4, 0.35], 0.05, 2),  # the limit rises with the highest
        ([0.3, 0.1, 0.001], 1.0, 2),
        ([0.3, 0.1, float("nan")], 1.0, 1),
        ([0.3, 0.1, 0.0], 1.0, 1),
    ],
)
def test_a_later_epoch_is_kept_unless_it_is_surely_worse(tmp_path, scores, error, kept):
    best = BestCheckpoint(tmp_path)
    quiet_trainer(tmp_path, best, max_epochs=len(scores), enable_checkpointing=True).fit(Scored(scores, error))
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == kept


def test_a_resumed_run_knows_how_high_the_score_was(tmp_path):
    scores = [0.3, 0.28, 0.26, 0.24]
    for epochs in (2, 4):
        best = BestCheckpoint(tmp_path / "run")
        fit = quiet_trainer(tmp_path, best, max_epochs=epochs, enable_checkpointing=True)
        fit.fit(Scored(scores, 0.05), ckpt_path=tmp_path / "go_on.ckpt" if epochs == 4 else None)
        fit.save_checkpoint(tmp_path / "go_on.ckpt")
    assert torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)["epoch"] == 1
