"""What a test got wrong, point by point, for ``carcloc report``: ``errors.json`` and the frames that show it."""

from collections import Counter
from collections.abc import Iterable
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
    """After a test: ``errors.json`` and ``pictures/error_<name>.jpg``, the frames with the most mistakes of each kind.

    ``errors.json`` holds the points of these frames by what is wrong, and totals of all frames: however many points
    are tested, memory stays the same. The pictures are without marks. Frames whose labels are sparse are left out: a
    peak without a label may have found an object that nobody labelled.
    """

    def __init__(self) -> None:
        self._worst: dict[int, _Kept] = {}
        self._totals: Counter[str] = Counter()

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        self._worst, self._totals = {}, Counter()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Compare the peaks of a batch with its points."""
        assert isinstance(pl_module, PointModule)
        found: Detections = outputs
        for frame, peaks in zip(found.frames, found.peaks, strict=True):
            if frame.exhaustive:
                above = peaks.above(pl_module.threshold)
                wrong = mistakes(above, frame, pl_module.match_radius_px)
                self._worst[frame.image_id] = _Kept(frame, above, wrong)
                self._totals.update({kind: len(getattr(wrong, kind)) for kind in ("found", *_KINDS)})
        self._worst = _worst(self._worst.values())

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the pictures, then the list that names them, then remove those of an earlier test."""
        assert isinstance(pl_module, PointModule)
        kept = _worst(from_all_processes(list(self._worst.values())))
        totals = sum(from_all_processes([self._totals]), Counter())
        self._worst = {}
        if not trainer.is_global_zero:
            return
        root = Path(trainer.default_root_dir)
        names = picture_names([one.frame for one in kept.values()])
        pictures = {image_id: f"pictures/error_{names[image_id]}.jpg" for image_id in kept}
        for image_id, one in kept.items():
            write_bytes(root / pictures[image_id], jpeg(read_frame(one.frame)))
        content = {
            "threshold": pl_module.threshold,
            "match_radius_px": pl_module.match_radius_px,
            "near_px": NEAR * pl_module.match_radius_px,
            "totals": {kind: totals[kind] for kind in ("found", *_KINDS)},
            "frames": [_entry(one, pictures[image_id]) for image_id, one in kept.items()],
        }
        write_json(root / "errors.json", content)
        for path in root.glob("pictures/error_*.jpg"):
            if f"pictures/{path.name}" not in pictures.values():
                path.unlink()


def _worst(kept: Iterable[_Kept]) -> dict[int, _Kept]:
    """The frames with the most mistakes of each kind, by image id; of equal ones the lower ids."""
    ordered = sorted(kept, key=lambda one: one.frame.image_id)
    chosen: dict[int, _Kept] = {}
    for kind in _KINDS:
        most = sorted(ordered, key=lambda one: -len(getattr(one.wrong, kind)))[:_FRAMES_OF_A_KIND]
        chosen |= {one.frame.image_id: one for one in most if len(getattr(one.wrong, kind))}
    return dict(sorted(chosen.items()))


def _entry(one: _Kept, picture: str) -> dict[str, Any]:
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
