"""Whose fault it is when a command fails: before its first batch is done, the checkpoint's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.errors import InputError, RunError


class FirstBatch(Callback):
    """Knows whether a batch was done, of whatever command."""

    done = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note it."""
        self.done = True

    def on_validation_batch_end(self, *_: Any) -> None:
        """Note it."""
        self.done = True

    def on_test_batch_end(self, *_: Any) -> None:
        """Note it."""
        self.done = True

    def on_predict_batch_end(self, *_: Any) -> None:
        """Note it."""
        self.done = True

    @contextmanager
    def blaming(self, checkpoint: str | None) -> Iterator[None]:
        """Around a command that takes up ``checkpoint``, if it does.

        Raises:
            InputError: its state fits nothing, which Lightning and torch say in whatever way they come upon it.
        """
        try:
            yield
        except (InputError, RunError, OSError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if checkpoint is None or self.done or "DataLoader worker" in str(error):
                raise
            raise InputError(
                f"{checkpoint}: cannot be taken up ({type(error).__name__}: {error!s:.150}); was it made "
                "with another configuration?"
            ) from error
