"""One progress bar for a whole command: a bar in a terminal, some lines in a log file."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

from carcinosis_loc.data.stream import FrameStream

_SHOWN = {"train/loss": "loss", "val/peaks_per_frame": "peaks/frame", "val/max_probability": "max p"}


class Progress(ProgressBar):
    """Shows how far the command is, how long it will take, and the values that tell whether it learns.

    Args:
        seconds_between_lines: in a log file, at most one line in that time.
    """

    def __init__(self, seconds_between_lines: float = 15.0) -> None:
        super().__init__()
        self.seconds_between_lines = seconds_between_lines
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._began = self._last_line = 0.0
        self._done = self._first = self._total = 0
        self._what = ""
        self._stream: FrameStream | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether anything is shown here; ``LightningModule.print`` asks."""
        return self._enabled

    def enable(self) -> None:
        """Show again."""
        self._enabled = True

    def disable(self) -> None:
        """Show nothing; Lightning calls this on all processes but the first."""
        self._enabled = False

    def print(self, *values: Any, **options: Any) -> None:
        """Print without breaking the bar."""
        if self._enabled:
            tqdm.write(" ".join(map(str, values)), file=sys.stdout)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar over all epochs."""
        steps = trainer.estimated_stepping_batches
        parameters = sum(p.numel() for p in pl_module.parameters() if p.requires_grad)
        self.print(f"fit: {parameters:,} parameters, {steps} steps, on {pl_module.device}")
        self._open("fit", int(steps) if steps != float("inf") else 0, trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step on."""
        epochs = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        self._step(f"epoch {trainer.current_epoch + 1}{epochs} {self._values(trainer)}", trainer.global_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._close(self._values(trainer))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Within fit the bar goes on; the command validate has its own."""
        if trainer.state.fn == "validate":
            self._open("validate", _total(trainer.num_val_batches))

    def on_validation_batch_end(self, trainer: Trainer, *_: Any, **__: Any) -> None:
        """One step on, where the command is validate."""
        if trainer.state.fn == "validate":
            self._step("", self._done + 1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar, where the command is validate."""
        if trainer.state.fn == "validate":
            self._close("")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        self._open("test", _total(trainer.num_test_batches))

    def on_test_batch_end(self, *_: Any, **__: Any) -> None:
        """One step on."""
        self._step("", self._done + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._close("")

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar: over batches, or over the frames of a stream."""
        self._stream = getattr(getattr(trainer, "datamodule", None), "stream", None)
        if self._stream is None:
            self._open("predict", _total(trainer.num_predict_batches))
        else:
            self._open("predict", self._stream.expected_frames or 0, self._stream.position.image_id - 1)

    def on_predict_batch_end(self, trainer: Trainer, module: LightningModule, found: Any, batch: Any, *_: Any) -> None:
        """One step on."""
        self._step("", self._done + (1 if self._stream is None else len(batch)))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._close("")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _open(self, what: str, total: int, done: int = 0) -> None:
        self._what, self._total = what, total
        self._done = self._first = done
        self._began = self._last_line = time.monotonic()
        if self._enabled and sys.stdout.isatty():
            self._bar = tqdm(desc=what, total=total or None, initial=done, file=sys.stdout, dynamic_ncols=True)

    def _step(self, note: str, done: int) -> None:
        moved, self._done = done - self._done, done
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(moved)
        elif self._enabled and time.monotonic() - self._last_line >= self.seconds_between_lines:
            self._last_line = time.monotonic()
            print(f"{self._what} {self._share()} {note}".rstrip(" ,"), flush=True)

    def _close(self, note: str) -> None:
        took = time.monotonic() - self._began
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._enabled:
            print(f"{self._what} done in {_clock(took)}  {note}".rstrip(), flush=True)

    def _share(self) -> str:
        took, steps = time.monotonic() - self._began, self._done - self._first
        if not self._total or steps <= 0:
            return f"step {self._done}" if self._stream is None else f"frame {self._done}"
        left = took / steps * max(0, self._total - self._done)
        return f"{min(100, 100 * self._done // self._total):3d}%, {_clock(left)} left,"

    @staticmethod
    def _values(trainer: Trainer) -> str:
        known = {short: trainer.callback_metrics.get(name) for name, short in _SHOWN.items()}
        return ", ".join(f"{short} {float(value):.3g}" for short, value in known.items() if value is not None)


def _total(batches: Any) -> int:
    """Lightning gives a number for each loader, or infinity where it cannot tell: then 0."""
    each = batches if isinstance(batches, list) else [batches]
    return int(sum(each)) if sum(each) != float("inf") else 0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
