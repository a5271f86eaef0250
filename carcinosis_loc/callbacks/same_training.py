"""A training that is resumed with other data or settings says so: it goes on, but it is another one."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.errors import InputError

logger = logging.getLogger(__name__)

KEY = "carcloc_training"
_DATA = (
    "batch_size",
    "samples_per_epoch",
    "whole_share",
    "asked_per_frame",
    "image_size",
    "category",
    "train_transform",
)
_TRAINER = ("precision", "accumulate_grad_batches", "gradient_clip_val")
_MOST_NAMED = 5


class SameTraining(Callback):
    """Keeps in each checkpoint what the training was told and learnt from, and warns on resuming where that differs.

    There are digests alone, since a value may be a path: of the settings, of the label files' content, and of the sizes
    of the image files.

    Args:
        config: the whole configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.facts: dict[str, str] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Gather; the data module has checked the files by now.

        Raises:
            InputError: one of them has gone since.
        """
        data, told = self.config["data"], {"seed_everything": self.config["seed_everything"]}
        told |= {f"data.{name}": data.get(name) for name in _DATA}
        told |= {f"trainer.{name}": self.config["trainer"].get(name) for name in _TRAINER}
        told |= {"model": self.config["model"], "number of processes": trainer.world_size}
        self.facts = {name: _digest(str(value).encode()) for name, value in _flat(told)}
        frames = getattr(getattr(trainer, "datamodule", None), "frames", {}).get("train", ())
        try:
            for split in ("train", "val"):
                if data.get(f"{split}_json") is not None:
                    self.facts[f"data.{split}_json (its content)"] = _digest(Path(data[f"{split}_json"]).read_bytes())
            sizes = [frame.path.stat().st_size for frame in frames]
        except OSError as error:
            raise InputError(f"{error.filename}: could be read a moment ago, and no more ({error.strerror})") from error
        self.facts["training images (their files)"] = _digest(str(sizes).encode())

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep it."""
        checkpoint[KEY] = dict(self.facts)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Compare; checkpoints of earlier versions do not tell."""
        before = checkpoint.get(KEY)
        if not isinstance(before, dict):
            return
        null = _digest(b"None")  # an argument that an earlier version did not have
        changed = sorted(
            name for name in {*before, *self.facts} if before.get(name, null) != self.facts.get(name, null)
        )
        if changed:
            more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
            logger.warning(
                "resumed with another %s%s; this is another training than one that was so from the start, and the "
                "optimizer keeps the settings that it had",
                ", ".join(map(str, changed[:_MOST_NAMED])),
                more,
            )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif not name.endswith("init_checkpoint"):  # a path, and of no use once a training has begun
        yield name, value
