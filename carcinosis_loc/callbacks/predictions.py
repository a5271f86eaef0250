"""What ``carcloc predict`` leaves: Lightning's batches go to the writers, and the folder takes its place."""

import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from carcinosis_loc.callbacks.names import picture_names, video_names
from carcinosis_loc.callbacks.origin import identity, provenance
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.callbacks.signals import EndOnSignal
from carcinosis_loc.callbacks.unfinished import Resumable, Unfinished, make_sibling, open_unfinished, put_in_place
from carcinosis_loc.data.batch import Batch, Milestone, Position
from carcinosis_loc.data.dataset import PointDataset
from carcinosis_loc.data.stream import FrameStream
from carcinosis_loc.detector import Detections, PointDetector
from carcinosis_loc.diagnosis import FULL_FROM, SILENT_BELOW
from carcinosis_loc.drawing import Heatmap
from carcinosis_loc.errors import InputError
from carcinosis_loc.pipes import Behind
from carcinosis_loc.points import Frame
from carcinosis_loc.tracking import PointTracker
from carcinosis_loc.writers import (
    About,
    CocoResults,
    DensityTable,
    Found,
    Heatmaps,
    KeyFrames,
    OverlayPictures,
    OverlayVideos,
    ParquetTable,
    PointTable,
    PredictionSession,
    PredictionWriter,
    Provenance,
    TrackTable,
    undamaged,
)

logger = logging.getLogger(__name__)

FOLDER = "predictions"
_BATCHES_BEHIND = 2
_FULL = "predict: %s reaches model.decoder.top_k = %d: what lies beyond is lost. Raise it."


class _Work(NamedTuple):
    """What the writing thread gets of a batch."""

    found: list[Found]
    milestone: Milestone | None


class PredictionFiles(Callback):
    """Writes ``predictions/`` into the run's folder: the peaks at or above the threshold of every image and frame.

    docs/predict.md lists the files. Coordinates are image pixels. The folder is put in the place of an earlier one when
    it is complete. If anything fails before, the earlier one stays as it was; what is finished of a video is kept
    beside it, hidden, and the same command goes on from there.

    Args:
        overlays: write images with their peaks, and videos of videos.
        heatmaps: write what the network says of every pixel, as 16-bit PNG.
        density: write the points of each frame, and how many there are in a million pixels.
        parquet: write the points as Parquet too; needs pyarrow.
        key_frames: write up to 12 frames that stand for a video or a folder.
        tracks: link the points over a video's frames.
        tracker: how; null is ``tracking.PointTracker`` with its defaults.
        unfinished: what to do about a run on video that was cut short: ``resume`` it, ``drop`` it and start afresh, or
            ``keep`` it, that is write what is finished and read no more.
        anonymize: name neither source nor checkpoint.
    """

    def __init__(
        self,
        overlays: bool = True,
        heatmaps: bool = False,
        density: bool = False,
        parquet: bool = False,
        key_frames: bool = True,
        tracks: bool = True,
        tracker: PointTracker | None = None,
        unfinished: Unfinished = "resume",
        anonymize: bool = False,
    ) -> None:
        self.overlays = overlays
        self.heatmaps = heatmaps
        self.density = density
        self.parquet = parquet
        self.key_frames = key_frames
        self.tracker = (tracker or PointTracker()) if tracks else None
        self.unfinished = unfinished
        self.anonymize = anonymize
        self._writers: list[PredictionWriter] = []
        self._stream: FrameStream | None = None
        self._resumable: Resumable | None = None
        self._folder: Path | None = None
        self._session: PredictionSession | None = None
        self._behind: Behind[_Work] | None = None
        self._stopper: EndOnSignal | None = None
        self._order: dict[int, int] = {}
        self._frames: dict[int, Frame] = {}
        self._told_full = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out what is to be done, before the first batch is read: a stream may be gone on with."""
        if stage != "predict":
            return
        assert isinstance(pl_module, PointDetector)
        stream: FrameStream | None = getattr(getattr(trainer, "datamodule", None), "stream", None)
        self._stream, self._writers = stream, self._make_writers(stream is not None)
        if stream is None:
            return
        tracker = None if self.tracker is None else self.tracker.state()
        outputs = {"outputs": [type(writer).__name__ for writer in self._writers], "tracker": tracker}
        told = identity(trainer, pl_module, stream, outputs)
        final = Path(trainer.default_root_dir) / FOLDER
        self._resumable = open_unfinished(final, told, self.unfinished, stream.live)
        state = self._resumable.journal.state
        with undamaged(self._resumable.folder):
            stream.position = Position(**state["position"]) if state else Position()
            if state and (state["done"] or self.unfinished == "keep"):
                stream.position = Position(len(stream.items), -1, state["n_frames"] + 1)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the folder that becomes ``predictions/`` at the end; all processes write into the same one."""
        assert isinstance(pl_module, PointDetector)
        trainer.predict_loop.return_predictions = False  # else Lightning keeps the logits of the whole set
        origin = provenance(trainer, pl_module, self.anonymize)
        if self._stream is None:
            loader = trainer.predict_dataloaders
            assert isinstance(loader, DataLoader)
            assert isinstance(loader.dataset, PointDataset)
            self._order = {frame.image_id: place for place, frame in enumerate(loader.dataset.frames)}
            self._frames = {frame.image_id: frame for frame in loader.dataset.frames}
            names = picture_names(loader.dataset.frames)
            new = make_sibling(Path(trainer.default_root_dir) / FOLDER) if trainer.is_global_zero else Path()
            self._folder = trainer.strategy.broadcast(new)
            about = About(self._folder, lambda frame: names[frame.image_id], pl_module.calibration, origin)
            session = PredictionSession(about, self._writers)
        else:
            assert self._resumable is not None
            self._folder = self._resumable.folder
            by_name = video_names(self._stream)
            about = About(self._folder, lambda frame: by_name[frame.file_name], pl_module.calibration, origin)
            rest = self._resumable.journal, self.tracker, self._stream.broken
            session = PredictionSession(about, self._writers, *rest)
            self._stopper = EndOnSignal(self._stream.stop) if self._stream.live else None
        self._session, self._behind = session, Behind(lambda work: session.take(*work), _BATCHES_BEHIND)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hand a batch to the writers, which work in a thread of their own."""
        assert isinstance(pl_module, PointDetector)
        assert self._behind is not None
        self._behind.put(_Work(self._found(outputs, batch, pl_module), batch.milestone))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the writers finish, and put the folder in its place."""
        assert isinstance(pl_module, PointDetector)
        assert self._session is not None
        assert self._behind is not None
        assert self._folder is not None
        self._behind.close()
        if self._stream is not None and self._session.n_frames == 0:
            raise InputError(f"{self._stream.items[0].file_name}: not one frame can be read")
        self._session.close(self._stream.unsaid if self._stream else ())
        found = sorted(from_all_processes(self._session.found), key=lambda one: self._order.get(one.frame.image_id, 0))
        if trainer.is_global_zero:
            final = Path(trainer.default_root_dir) / FOLDER
            self._session.write(found)
            replaced = final.exists()
            put_in_place(self._folder, final)
            self._report(final, self._session, pl_module.threshold, replaced)
        self._end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave nothing unfinished behind, unless it can be gone on with."""
        if self._behind is not None:
            self._behind.abandon()
        kept = self._resumable.journal.state if self._resumable else None
        folder = self._resumable.folder if self._resumable else self._folder
        if kept is not None and kept["n_frames"]:
            logger.warning("predict: %d frames are finished and kept; the same command goes on", kept["n_frames"])
        elif folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        self._end()

    def _make_writers(self, videos: bool) -> list[PredictionWriter]:
        writers: list[PredictionWriter] = [CocoResults(), PointTable(), Provenance()]
        writers += [TrackTable()] if videos and self.tracker is not None else []
        writers += [ParquetTable()] if self.parquet else []
        writers += [DensityTable()] if self.density else []
        writers += [OverlayPictures()] if self.overlays else []
        writers += [OverlayVideos()] if self.overlays and videos else []
        writers += [Heatmaps()] if self.heatmaps else []
        return writers + ([KeyFrames(while_reading=videos)] if self.key_frames else [])

    def _found(self, outputs: Detections, batch: Batch, module: PointDetector) -> list[Found]:
        maps = None
        if any(writer.wants_heatmaps for writer in self._writers):
            maps = outputs.logits.detach().float().sigmoid().cpu().numpy()
        found = []
        for place, (frame, peaks) in enumerate(zip(outputs.frames, outputs.peaks, strict=True)):  # none of a dummy
            pixels = batch.pixels[place] if batch.pixels else None
            heat = None if maps is None else Heatmap(maps[place, 0], batch.letterboxes[place], module.stride)
            in_video = self._stream is not None and "frame" in frame.extra
            # A frame that comes from a data-loading process is a copy; what is kept is the one that is here already.
            frame = self._frames.get(frame.image_id, frame)
            shown = peaks.above(module.threshold)
            if len(shown) >= FULL_FROM * module.decoder.top_k and not self._told_full:
                self._told_full = True
                logger.warning(_FULL, frame.file_name, module.decoder.top_k)
            found.append(Found(frame, shown, in_video, pixels=pixels, heatmap=heat))
        return found

    def _report(self, final: Path, session: PredictionSession, threshold: float, replaced: bool) -> None:
        what = ("image" if self._stream is None else "frame") + ("" if session.n_frames == 1 else "s")
        counts = session.n_points, threshold, session.n_frames
        logger.info("predict: %d points with a score of %.3f or more in %d " + what, *counts)
        if session.highest is not None and session.highest < SILENT_BELOW:
            logger.warning(
                "predict: no score is above %.3f: unless carcloc test says that such scores rank well, the model has "
                "hardly learnt; train longer",
                session.highest,
            )
        files = sorted(path.name + ("/" if path.is_dir() else "") for path in final.iterdir())
        earlier = "; the earlier ones there are replaced" if replaced else ""
        logger.info("predictions: %s (%s)%s", final, ", ".join(files), earlier)

    def _end(self) -> None:
        if self._stopper is not None:
            self._stopper.release()
        if self._resumable is not None:
            self._resumable.lock.close()
        self._behind = self._session = self._folder = self._resumable = self._stopper = None
        self._frames = {}
