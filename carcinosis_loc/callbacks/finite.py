"""A loss that is no number ends the training before it does harm."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from carcinosis_loc.callbacks.checkpoints import LastCheckpoint
from carcinosis_loc.data import Batch
from carcinosis_loc.errors import RunError


class FiniteLoss(Callback):
    """Stops at the first loss that is NaN or infinite, before its gradient reaches a weight.

    The error names the step, the images of the batch and the last good checkpoint. Resuming from it comes to the same
    batch again: nothing is skipped.
    """

    def __init__(self) -> None:
        self._batch: Batch | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep hold of the batch."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Look at the loss.

        Raises:
            RunError: it is not finite.
        """
        if torch.isfinite(loss):
            return
        frames = self._batch.frames if self._batch else []
        ids = ", ".join(str(frame.image_id) for frame in frames)
        raise RunError(
            f"the loss is {loss.item()} at step {trainer.global_step} (epoch {trainer.current_epoch + 1}), on the "
            f"images with the ids {ids}; {_what_is_left(trainer)}. Lower --model.optimizer.lr, or set "
            "--trainer.gradient_clip_val or --trainer.precision 32"
        )


def _what_is_left(trainer: Trainer) -> str:
    folders = [Path(str(one.dirpath)) for one in trainer.checkpoint_callbacks if isinstance(one, LastCheckpoint)]
    good = [folder / "last.ckpt" for folder in folders if (folder / "last.ckpt").exists()]
    return f"the last good checkpoint is {good[0]}" if good else "there is no checkpoint yet"
