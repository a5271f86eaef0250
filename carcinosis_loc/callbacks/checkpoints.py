"""Checkpoints: the best and the last, written whole or not at all, read without running anything."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from carcinosis_loc.files import write_bytes
from carcinosis_loc.models import read_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, syncs and renames it, so that a crash or a full disk tears nothing."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Serialise first: then a full disk is an ``OSError`` with its reason and not torch's own error."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only, whatever is asked for; see ``read_checkpoint``."""
        return read_checkpoint(Path(path))


class BestCheckpoint(ModelCheckpoint):
    """Keeps ``best.ckpt``: the epoch with the highest ``val/selection``; without validation, the last one.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="best", monitor="val/selection", mode="max", enable_version_counter=False)

    def forget(self) -> None:
        """What was best so far counts no more; the next epoch is the best until another beats it."""
        self.best_k_models, self.best_model_score, self.current_score = {}, None, None
        self.kth_best_model_path, self.kth_value = "", torch.tensor(float("-inf"))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Without any validation the last epoch is the best that is known."""
        super().on_train_end(trainer, pl_module)
        if not self.best_model_path and not getattr(trainer, "fast_dev_run", False):
            trainer.save_checkpoint(Path(str(self.dirpath)) / "best.ckpt")


class LastCheckpoint(ModelCheckpoint):
    """Keeps ``last.ckpt``, the end of the last whole epoch, to resume from.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
