"""What ``carcloc predict`` leaves: points as COCO results and CSV, and overlays. All of it, or nothing."""

import csv
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from carcinosis_loc.callbacks.names import picture_names
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data.dataset import PointDataset, read_frame
from carcinosis_loc.diagnosis import SILENT_BELOW
from carcinosis_loc.drawing import overlay, png, unjudged
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import atomic_path, make_folder, write_bytes, write_json
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.module import Detections, PointDetector
from carcinosis_loc.points import Frame, Peaks, Size

logger = logging.getLogger(__name__)

FOLDER = "predictions"
CATEGORY: dict[str, Any] = {"id": 1, "name": "point", "keypoints": ["center"], "skeleton": []}


class _Found(NamedTuple):
    """One image and its peaks, without pixels: this is what processes send each other."""

    image_id: int
    file_name: str
    size: Size
    peaks: Peaks

    def rows(self) -> Iterator[tuple[float, float, float]]:
        """x and y in thousandths of a pixel; the score with as many digits as tell it from its neighbours."""
        for (x, y), score in zip(self.peaks.xy, self.peaks.scores, strict=True):
            yield round(float(x), 3), round(float(y), 3), float(str(score))


class PredictionFiles(Callback):
    """Writes ``predictions/`` into the run's folder: the peaks at or above the threshold of every image.

    - ``predictions.json``: COCO keypoint results, one a point, in the order of the images and best first; where the
      checkpoint is calibrated with the ``probability`` that it is an object beside the network's ``score``.
    - ``images.json``: the COCO image list that their ids refer to; ``COCO("images.json").loadRes("predictions.json")``.
      (pycocotools fails on an empty list of results, if there is no point at all.)
    - ``points.csv``: ``file_name, x, y, score``.
    - ``overlays/<name>.png``: each image with its peaks, sized by score.

    Coordinates are image pixels. The folder is put in the place of an earlier one when it is complete; if anything
    fails before, the earlier one stays as it was.

    Args:
        overlays: write the overlays too.
    """

    def __init__(self, overlays: bool = True) -> None:
        self.overlays = overlays
        self._found: list[_Found] = []
        self._order: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._unfinished: Path | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the folder that becomes ``predictions/`` at the end; all processes write into the same one."""
        loader = trainer.predict_dataloaders
        assert isinstance(loader, DataLoader)
        assert isinstance(loader.dataset, PointDataset)
        trainer.predict_loop.return_predictions = False  # else Lightning keeps the logits of the whole set
        frames = loader.dataset.frames
        self._found = []
        self._order = {frame.image_id: place for place, frame in enumerate(frames)}
        self._names = picture_names(frames)
        unfinished = _make_sibling(Path(trainer.default_root_dir) / FOLDER) if trainer.is_global_zero else None
        self._unfinished = trainer.strategy.broadcast(unfinished)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the points of a batch and draw its overlays."""
        assert isinstance(pl_module, PointDetector)
        found: Detections = outputs
        for frame, peaks in zip(found.frames, found.peaks, strict=True):  # none, where the batch is a dummy
            above = peaks.above(pl_module.threshold)
            self._found.append(_Found(frame.image_id, frame.file_name, frame.size, above))
            if self.overlays:
                self._draw(frame, above)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the files over all processes and put the folder in its place."""
        assert isinstance(pl_module, PointDetector)
        found = sorted(from_all_processes(self._found), key=lambda one: self._order[one.image_id])
        unfinished, self._found = self._unfinished, []
        if trainer.is_global_zero:
            assert unfinished is not None
            final = Path(trainer.default_root_dir) / FOLDER
            _write(unfinished, found, pl_module.calibration)
            replaced = final.exists()
            _replace_folder(unfinished, final)
            self._report(final, found, pl_module.threshold, replaced)
        self._unfinished = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave nothing unfinished behind."""
        if self._unfinished is not None:
            shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished, self._found = None, []

    def _draw(self, frame: Frame, peaks: Peaks) -> None:
        assert self._unfinished is not None
        picture = overlay(read_frame(frame), unjudged(peaks))
        write_bytes(self._unfinished / "overlays" / f"{self._names[frame.image_id]}.png", png(picture))

    def _report(self, final: Path, found: list[_Found], threshold: float, replaced: bool) -> None:
        points = sum(len(one.peaks) for one in found)
        files = ["predictions.json", "images.json", "points.csv", *(["overlays/"] if self.overlays else [])]
        logger.info("predict: %d points with a score of %.3f or more in %d images", points, threshold, len(found))
        highest = max((float(one.peaks.scores.max()) for one in found if len(one.peaks)), default=None)
        if highest is not None and highest < SILENT_BELOW:
            logger.warning(
                "predict: no score is above %.3f: unless carcloc test says that such scores rank well, the model has "
                "hardly learnt; train longer",
                highest,
            )
        earlier = "; the earlier ones there are replaced" if replaced else ""
        logger.info("predictions: %s (%s)%s", final, ", ".join(files), earlier)


def _write(folder: Path, found: list[_Found], calibration: Calibration | None) -> None:
    images = [
        {"id": one.image_id, "file_name": one.file_name, "width": one.size[1], "height": one.size[0]} for one in found
    ]
    write_json(folder / "images.json", {"images": images, "annotations": [], "categories": [CATEGORY]})
    with atomic_path(folder / "predictions.json") as path, path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, entry in enumerate(entry for one in found for entry in _results(one, calibration)):
            file.write((",\n" if number else "") + json.dumps(entry, allow_nan=False))
        file.write("]\n")
    with atomic_path(folder / "points.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file_name", "x", "y", "score"))
        writer.writerows((one.file_name, *row) for one in found for row in one.rows())


def _results(one: _Found, calibration: Calibration | None) -> Iterator[dict[str, Any]]:
    for x, y, score in one.rows():
        entry = {"image_id": one.image_id, "category_id": CATEGORY["id"], "keypoints": [x, y, 2], "score": score}
        if calibration is not None:
            entry["probability"] = round(float(calibration.scale.probability(score)), 4)
        yield entry


def _make_sibling(final: Path) -> Path:
    """A new hidden folder beside ``final``, on the same disk, so that it can be renamed to it."""
    if final.is_symlink() or (final.exists() and not final.is_dir()):
        raise InputError(f"{final}: is no folder, and predictions go to a folder of that name; move it away")
    make_folder(final.parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent))
    except OSError as error:
        raise InputError(f"{final.parent}: cannot be written ({error.strerror}); name another folder") from error
    folder.chmod(final.parent.stat().st_mode & 0o777)  # mkdtemp's folders are closed to all others
    return folder


def _replace_folder(complete: Path, final: Path) -> None:
    """Put ``complete`` in the place of ``final``; the earlier one goes only when the new one stands."""
    earlier = complete.with_suffix(".old")
    if final.exists():
        final.rename(earlier)
    try:
        complete.rename(final)
    except OSError:
        if earlier.exists():
            earlier.rename(final)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
