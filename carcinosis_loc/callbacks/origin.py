"""What a run of ``predict`` was told, for ``provenance.json`` and to know the same run again."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from carcinosis_loc.data.stream import FrameStream
from carcinosis_loc.detector import PointDetector
from carcinosis_loc.look import ONCE
from carcinosis_loc.points import Frame
from carcinosis_loc.video import Video
from carcinosis_loc.writers import sha256


def provenance(trainer: Trainer, module: PointDetector, anonymize: bool) -> dict[str, Any]:
    """Checkpoint, threshold and source; without their names where those must not be told."""
    checkpoint = _file_of(trainer, module)
    source = getattr(getattr(trainer, "datamodule", None), "predict_source", None)
    name = None if source is None or anonymize else "stdin" if source == "-" else Path(source).resolve().name
    return {
        "checkpoint": None if checkpoint is None or anonymize else checkpoint.name,
        "checkpoint_sha256": module.exported_checkpoint_sha256 or (None if checkpoint is None else sha256(checkpoint)),
        "threshold": module.threshold,
        "threshold_rule": _rule(module),
        "score_scale": None if module.calibration is None else list(module.calibration.scale),  # slope, offset
        "score_floor": module.decoder.score_floor,
        "views": module.look.views,
        "scales": list(module.look.scales),
        "match_radius_px": module.match_radius_px,
        "source": name,
    }


def identity(trainer: Trainer, module: PointDetector, stream: FrameStream, outputs: dict[str, Any]) -> dict[str, Any]:
    """All that the files of a run on video depend on: one that was told the same may go on with it."""
    origin, file = provenance(trainer, module, anonymize=True), _file_of(trainer, module)
    decoder = {name: value for name, value in vars(module.decoder).items() if isinstance(value, int | float)}
    return {
        "source": [_known(item) for item in stream.items],
        "model": None if file is None else sha256(file),
        "threshold": origin["threshold"],
        "views": module.look.views,
        **({} if module.look.scales == ONCE.scales else {"scales": list(module.look.scales)}),  # older ones have none
        "decoder": decoder | {"threshold": None},
        "sampling": [stream.rate.every_nth, stream.rate.per_second],
        "image_size": stream.image_size,
        "batch_size": stream.batch_size,
        **outputs,
    }


def _file_of(trainer: Trainer, module: PointDetector) -> Path | None:
    return Path(trainer.ckpt_path) if trainer.ckpt_path else module.exported_from


def _rule(module: PointDetector) -> str | None:
    if module.decoder.threshold is not None:
        return "given by hand"
    return None if module.calibration is None else str(module.calibration)


def _known(item: Frame | Video) -> list[Any]:
    """A file as it is told from another one, without its folder."""
    path = item.path if isinstance(item, Frame) else Path(item.source)
    if isinstance(item, Video) and item.live:
        return [item.file_name]
    status = path.stat()
    return [item.file_name, status.st_size, status.st_mtime_ns]
