"""The same few frames in every epoch, drawn: what is labelled, what the network says, what was found."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch.utils.data import DataLoader

from carcinosis_loc.callbacks.names import picture_names
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.dataset import DUMMY, PointDataset, read_frame
from carcinosis_loc.detector import Detections
from carcinosis_loc.drawing import Heatmap, curve_figure, judged, labels, panel, png, unjudged
from carcinosis_loc.files import write_bytes
from carcinosis_loc.loggers import staged_in
from carcinosis_loc.metrics import Curve, closest_matching
from carcinosis_loc.metrics.per_image import inside_any
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Peaks

Rgb = npt.NDArray[np.uint8]

_MOST_CURVE_ROWS = 500


@dataclass(frozen=True, eq=False)
class _Kept:
    """What is kept of a frame until the epoch ends: no pixels."""

    frame: Frame
    peaks: Peaks
    heatmap: Heatmap


class Pictures(Callback):
    """Draws fixed validation and test frames and the precision-recall curve into ``pictures/`` and W&B.

    Each picture shows a frame with its labels, its heatmap, and its peaks at or above the threshold. On exhaustive
    frames peaks are marked as found or false and points as missed. On others a peak without a label may have found an
    object that nobody labelled, so none is judged. The curve needs exhaustive frames.

    The files are ``pictures/{val,test}_<name>.png`` and ``pictures/{val,test}_curve.png``; a later epoch or
    run takes their place. Of several processes the first draws, from its own share of the frames.

    Args:
        n_frames: frames drawn, spread evenly over the set; 0 draws none.
        every_n_epochs: in ``fit``, draw after every so many epochs and after the last.

    Raises:
        ValueError: ``n_frames`` below 0 or ``every_n_epochs`` below 1.
    """

    def __init__(self, n_frames: int = 4, every_n_epochs: int = 5) -> None:
        if n_frames < 0 or every_n_epochs < 1:
            raise ValueError(
                f"n_frames must be 0 or more and every_n_epochs at least 1, got {n_frames} and {every_n_epochs}"
            )
        self.n_frames = n_frames
        self.every_n_epochs = every_n_epochs
        self._chosen: frozenset[int] = frozenset()
        self._kept: dict[int, _Kept] = {}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the frames, if this epoch is drawn."""
        self._begin(trainer.val_dataloaders, trainer.num_val_batches, self._is_drawn(trainer))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the chosen frames of a batch."""
        self._keep(outputs, batch, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw; the module has computed its metrics by now."""
        if self._is_drawn(trainer):
            self._draw("val", trainer, pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the frames."""
        self._begin(trainer.test_dataloaders, trainer.num_test_batches, trainer.is_global_zero)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the chosen frames of a batch."""
        self._keep(outputs, batch, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw; the module has computed its metrics by now."""
        if trainer.is_global_zero:
            self._draw("test", trainer, pl_module)

    def _is_drawn(self, trainer: Trainer) -> bool:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return False
        epoch = trainer.current_epoch + 1
        return trainer.state.fn != "fit" or epoch % self.every_n_epochs == 0 or epoch == trainer.max_epochs

    def _begin(self, loader: Any, n_batches: Any, drawn: bool) -> None:
        self._kept = {}
        limit = n_batches[0] if isinstance(n_batches, list) else n_batches
        self._chosen = frozenset(_spread(loader, limit, self.n_frames)) if drawn else frozenset()

    def _keep(self, found: Detections, batch: Batch, module: LightningModule) -> None:
        assert isinstance(module, PointModule)
        for index, frame in enumerate(found.frames):  # none, where the batch is a dummy
            if frame.image_id in self._chosen:
                probability = found.logits[index, 0].detach().float().sigmoid().cpu().numpy()
                heatmap = Heatmap(probability, batch.letterboxes[index], module.net.stride)
                self._kept[frame.image_id] = _Kept(frame, found.peaks[index], heatmap)

    def _draw(self, stage: str, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, PointModule)
        kept = [self._kept[image_id] for image_id in sorted(self._kept)]
        names = picture_names([one.frame for one in kept])
        shown = {one.frame.image_id: _panel(one, module.threshold, module.match_radius_px) for one in kept}
        self._kept = {}
        folder = Path(trainer.default_root_dir) / "pictures"
        files = {folder / f"{stage}_{names[image_id]}.png": png(picture) for image_id, picture in shown.items()}
        dashboards = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        for logger in dashboards:
            for image_id, picture in shown.items():  # a key each: W&B dislikes pictures of different sizes in one
                logger.log_image(f"{stage}/pictures/image_{image_id}", [picture], step=trainer.global_step)
        if module.results.get("n_images", 0) > 0:
            curve = module.point_f1.curve
            files[folder / f"{stage}_curve.png"] = png(_curve_picture(stage, curve, module))
            hidden = getattr(getattr(trainer, "datamodule", None), "anonymize", False)
            for logger in [] if hidden else dashboards:  # W&B notes where on the disk a table lies
                _log_curve(logger, stage, curve, trainer.global_step)
        for path, content in files.items():
            write_bytes(path, content)
        for path in folder.glob(f"{stage}_*.png") if files else ():  # what another set of frames had left
            if path not in files:
                path.unlink()


def _spread(loader: Any, n_batches: float, n_frames: int) -> list[int]:
    """Image ids of frames that this process sees, evenly spread over the set."""
    if not isinstance(loader, DataLoader) or not isinstance(loader.dataset, PointDataset):
        return []
    limit = None if n_batches == float("inf") else int(n_batches)
    seen = sorted(i for indices in islice(iter(loader.batch_sampler or ()), limit) for i in indices if i != DUMMY)
    places = np.unique(np.linspace(0, len(seen) - 1, min(n_frames, len(seen))).round().astype(int))
    return [loader.dataset.frames[seen[place]].image_id for place in places]


def _panel(kept: _Kept, threshold: float, match_radius_px: float) -> Rgb:
    frame, peaks = kept.frame, kept.peaks.above(threshold)
    if frame.exhaustive:
        pairs, _ = closest_matching(peaks.xy, frame.points.xy, match_radius_px)
        marks, how = judged(peaks, frame.points, pairs, inside_any(peaks.xy, frame.ignore)), "exhaustively labelled"
    else:
        marks, how = unjudged(peaks, frame.points), "sparsely labelled: no peak is judged"
    title = f"image {frame.image_id}   {frame.size[1]} x {frame.size[0]}, {how}"  # no name: W&B shows it too
    known = labels(frame.points, exhaustive=bool(frame.exhaustive))
    return panel(read_frame(frame), known, kept.heatmap, marks, threshold, title, frame.ignore)


def _curve_picture(stage: str, curve: Curve, module: PointModule) -> Rgb:
    figures = module.results
    title = (
        f"{stage}: {figures['n_images']:.0f} exhaustive frames, {figures['n_points']:.0f} points, "
        f"average precision {figures['average_precision']:.3f}, match radius {module.match_radius_px:g} px"
    )
    return curve_figure(curve.thresholds, curve.precision, curve.recall, curve.f1, module.threshold, title)


def _log_curve(logger: WandbLogger, stage: str, curve: Curve, step: int) -> None:
    """A table that W&B draws as a line; a long curve is thinned."""
    import wandb

    rows = np.stack([curve.recall, curve.precision, curve.thresholds, curve.f1], axis=1)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_CURVE_ROWS)).round().astype(int))
    table = wandb.Table(columns=["recall", "precision", "threshold", "f1"], data=rows[chosen].tolist())
    chart: Any = wandb.plot.line(table, "recall", "precision", title=f"{stage}: precision over recall")
    with staged_in(Path(str(logger.save_dir))):
        logger.log_metrics({f"{stage}/curve": chart}, step)
