"""Checkpoints: the best and the last, written whole or not at all, read without running anything."""

import io
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from carcinosis_loc.callbacks.signals import PutOffSignals
from carcinosis_loc.files import write_bytes
from carcinosis_loc.models import read_checkpoint

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
_SURELY = 2.0  # standard errors


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, syncs and renames it, so that a crash or a full disk tears nothing."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Serialise first: then a full disk is an ``OSError`` with its reason and not torch's own error."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        if Path(path).name == LAST and Path(path).exists():
            _keep(Path(path), Path(path).with_name(PREVIOUS))
        write_bytes(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only, whatever is asked for; see ``read_checkpoint``."""
        return read_checkpoint(Path(path))


class BestCheckpoint(ModelCheckpoint):
    """Keeps ``best.ckpt``: the latest epoch whose ``val/selection`` is not surely below the highest of all.

    Sure are two of the highest score's ``val/selection_error``; where that is 0 or not logged, the highest itself is
    kept. A schedule ends where a network is best, and a few hundred labels are too few to contradict it by chance (the
    rule of one standard error, Breiman et al. 1984, asked of time). A network that breaks down is surely below. While
    nothing is found, and where nothing is known, it is the last epoch.

    Its state holds names of files and no paths. So a run whose folder was moved goes on exactly, and a checkpoint that
    is handed on says nothing of where it was.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="best", monitor="val/selection", mode="max", enable_version_counter=False)
        self.highest = self.enough = -math.inf  # the highest score, and what is not surely below it

    def state_dict(self) -> dict[str, Any]:
        """Lightning's, without folders."""
        return _map_paths(super().state_dict(), lambda path: Path(path).name) | {
            "dirpath": "",
            "highest": self.highest,
            "enough": self.enough,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning's, in this folder, and of this file alone: what it has named, Lightning later removes."""
        own = str(Path(str(self.dirpath)) / f"{self.filename}.ckpt")
        super().load_state_dict(_map_paths(state_dict, lambda path: own) | {"dirpath": self.dirpath})
        self.current_score = state_dict.get("current_score")  # Lightning saves it and forgets to load it
        self.highest, self.enough = state_dict.get("highest", -math.inf), state_dict.get("enough", -math.inf)

    def forget(self) -> None:
        """What was best so far counts no more; the next epoch is the best until another beats it."""
        self.best_k_models, self.best_model_score, self.current_score = {}, None, None
        self.kth_best_model_path, self.kth_value = "", torch.tensor(float("-inf"))
        self.highest = self.enough = -math.inf

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Lightning's, by the rule of the class; while nothing was found yet, no epoch is better than a later one."""
        if self.best_model_score is not None and not self.best_model_score > 0:
            self.forget()
        better = super().check_monitor_top_k(trainer, current)
        if current is None:
            return better
        if current > self.highest:
            error = float(trainer.callback_metrics.get("val/selection_error", 0.0))
            self.highest, self.enough = float(current), float(current) - _SURELY * error
        enough = max(self.enough, 0.0)  # a network that finds nothing is no better than one that found something
        return better or bool(trainer.strategy.reduce_boolean_decision(enough < float(current)))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Without any validation the last epoch is the best that is known."""
        super().on_train_end(trainer, pl_module)
        if self.best_model_score is not None and not self.best_model_score > 0:
            pl_module.print("best.ckpt is the last epoch: no validation found a labelled point, so none was the better")
        if not self.best_model_path and not getattr(trainer, "fast_dev_run", False):
            trainer.save_checkpoint(Path(str(self.dirpath)) / "best.ckpt")


class LastCheckpoint(ModelCheckpoint):
    """Keeps ``last.ckpt`` to resume from: the end of the last whole epoch, or the batch after which SIGTERM stopped it.

    The one before it stays as ``previous.ckpt``, for the day that a disk tears the last. Nothing of it goes into a
    checkpoint: what it knows would depend on where a run was struck.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
        self._signals = PutOffSignals()

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing is taken over; earlier versions kept Lightning's state."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put signals off from now on."""
        super().on_train_start(trainer, pl_module)
        self._signals.watch(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop here if SIGTERM came. After an epoch's last batch its validation comes first."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        last = batch_idx + 1 == trainer.num_training_batches
        if last or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        if requeue := self._signals.requeue_asked(trainer):
            requeue()
        if self._signals.stop_asked(trainer):
            trainer.save_checkpoint(Path(str(self.dirpath)) / LAST)
            raise SIGTERMException

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; then stop if SIGTERM came."""
        super().on_train_epoch_end(trainer, pl_module)
        if self._signals.stop_asked(trainer):
            raise SIGTERMException

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the signals' handlers back."""
        super().on_train_end(trainer, pl_module)
        self._signals.release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the signals' handlers back."""
        super().on_exception(trainer, pl_module, exception)
        self._signals.release()


def _map_paths(state: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    one = {key: change(value) for key, value in state.items() if key.endswith("_path") and value}
    many = {change(path): score for path, score in state["best_k_models"].items()}
    return state | one | {"best_k_models": many}


def _keep(path: Path, copy: Path) -> None:
    """A second name for a file: there is no moment at which neither exists, and no second copy on the disk."""
    other = path.with_name(f".{copy.name}.part.ckpt")
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:  # a file system without links
        shutil.copyfile(path, other)
    other.replace(copy)
    other.unlink(missing_ok=True)  # it stays if both are the same file: a kill between two renames makes them so
