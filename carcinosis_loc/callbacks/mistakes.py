"""What a test got wrong, point by point, for ``carcloc report``: ``errors.json`` and the frames that show it."""

from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.callbacks.names import picture_names
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data.dataset import read_frame
from carcinosis_loc.detector import Detections
from carcinosis_loc.drawing import jpeg
from carcinosis_loc.files import write_bytes, write_json
from carcinosis_loc.metrics.mistakes import NEAR, Mistakes, mistakes
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Peaks

_KINDS = ("missed", "false", "mislocated")
_FRAMES_OF_A_KIND = 4


class _Kept(NamedTuple):
    frame: Frame
    peaks: Peaks
    wrong: Mistakes


class MistakeFiles(Callback):
    """After a test: ``errors.json``, each exhaustive frame's points by kind, and ``pictures/error_<name>.jpg``.

    The pictures are of the frames with the most mistakes of each kind, without marks. Frames whose labels are sparse
    are left out: a peak without a label may have found an object that nobody labelled.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        self._kept = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Compare the peaks of a batch with its points."""
        assert isinstance(pl_module, PointModule)
        found: Detections = outputs
        for frame, peaks in zip(found.frames, found.peaks, strict=True):
            if frame.exhaustive:
                above = peaks.above(pl_module.threshold)
                self._kept.append(_Kept(frame, above, mistakes(above, frame, pl_module.match_radius_px)))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the pictures, then the list that names them, then remove those of an earlier test."""
        assert isinstance(pl_module, PointModule)
        kept = sorted(from_all_processes(self._kept), key=lambda one: one.frame.image_id)
        self._kept = []
        if not trainer.is_global_zero:
            return
        root = Path(trainer.default_root_dir)
        names = picture_names([one.frame for one in kept])
        pictures = {one.frame.image_id: f"pictures/error_{names[one.frame.image_id]}.jpg" for one in _telling(kept)}
        for one in kept:
            if one.frame.image_id in pictures:
                write_bytes(root / pictures[one.frame.image_id], jpeg(read_frame(one.frame)))
        content = {
            "threshold": pl_module.threshold,
            "match_radius_px": pl_module.match_radius_px,
            "near_px": NEAR * pl_module.match_radius_px,
            "frames": [_entry(one, pictures.get(one.frame.image_id)) for one in kept],
        }
        write_json(root / "errors.json", content)
        for path in root.glob("pictures/error_*.jpg"):
            if f"pictures/{path.name}" not in pictures.values():
                path.unlink()


def _telling(kept: list[_Kept]) -> list[_Kept]:
    """The frames with the most mistakes of each kind."""
    chosen: dict[int, _Kept] = {}
    for kind in _KINDS:
        ordered = sorted(kept, key=lambda one: -len(getattr(one.wrong, kind)))
        chosen |= {one.frame.image_id: one for one in ordered[:_FRAMES_OF_A_KIND] if len(getattr(one.wrong, kind))}
    return list(chosen.values())


def _entry(one: _Kept, picture: str | None) -> dict[str, Any]:
    """A frame: ``found`` and ``mislocated`` are ``[x, y, score, true x, true y]``, ``false`` its first three."""
    frame, wrong = one.frame, one.wrong
    peaks = [[*_xy(xy), float(str(score))] for xy, score in zip(one.peaks.xy, one.peaks.scores, strict=True)]
    points = [_xy(xy) for xy in frame.points.xy]
    return {
        "image_id": frame.image_id,
        "file_name": frame.file_name,
        "width": frame.size[1],
        "height": frame.size[0],
        "picture": picture,
        "found": [[*peaks[peak], *points[point]] for peak, point in wrong.found],
        "mislocated": [[*peaks[peak], *points[point]] for peak, point in wrong.mislocated],
        "false": [peaks[peak] for peak in wrong.false],
        "missed": [points[point] for point in wrong.missed],
    }


def _xy(xy: Any) -> list[float]:
    return [round(float(xy[0]), 2), round(float(xy[1]), 2)]
