"""Which epoch is kept as the best."""

import pytest
import torch
from bright import quiet_trainer
from lightning.pytorch import LightningModule

from carcinosis_loc.callbacks import BestCheckpoint


class Scored(LightningModule):
    """A run whose validations find this much."""

    def __init__(self, scores):
        super().__init__()
        self.weight, self.scores = torch.nn.Parameter(torch.zeros(1)), scores

    def train_dataloader(self):
        return [0]

    def val_dataloader(self):
        return [0]

    def training_step(self, batch, batch_idx):
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.log("val/selection", self.scores[self.current_epoch], batch_size=1)

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
