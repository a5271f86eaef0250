"""The LightningModule: network, loss, encoder, decoder and metrics meet here, and all of them are injected."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MaxMetric, MeanMetric

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.detector import FALLBACK_THRESHOLD, Detections, PointDetector
from carcinosis_loc.errors import InputError
from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder, cells_of, highest_of
from carcinosis_loc.losses import HeatmapLoss
from carcinosis_loc.metrics import Calibration, PointF1, SparsePointMetrics, calibrate
from carcinosis_loc.models import HeatmapNet

logger = logging.getLogger(__name__)

SchedulerCallable = Callable[[Optimizer, int], LRScheduler]
CHECKPOINT_KEY = "carcloc"


class PointModule(PointDetector):
    """Learns dense points from sparse ones.

    Args:
        net: image to logits.
        loss: on logits and soft targets; everything that is special about sparse labels lies there.
        decoder: logits to peaks; holds the threshold.
        encoder: points to soft targets.
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        extra_radii_px: further radii at which F1 is reported.
        optimizer: called with the parameters.
        scheduler: called with the optimizer and the number of batches in the run; stepped per batch.
        labels_at_random: whether it is known that annotators marked whichever objects of a frame (true), or the
            conspicuous ones (false); the threshold is then chosen accordingly, and with false the last epoch is kept as
            the best. null lets labels and scores tell.
    """

    def __init__(
        self,
        net: HeatmapNet,
        loss: HeatmapLoss,
        decoder: PeakDecoder,
        encoder: GaussianEncoder,
        optimizer: OptimizerCallable,
        scheduler: SchedulerCallable | None = None,
        match_radius_px: float = 6.0,
        extra_radii_px: Sequence[float] = (),
        labels_at_random: bool | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.decoder = decoder
        self.encoder = encoder
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.match_radius_px = match_radius_px
        self.labels_at_random = labels_at_random
        self.calibration = None
        self.recipe: dict[str, Any] | None = None  # how to build this again; the command line fills it in
        self.point_f1 = PointF1(match_radius_px, FALLBACK_THRESHOLD, extra_radii_px, by_frame=True)
        self.sparse = SparsePointMetrics(match_radius_px, FALLBACK_THRESHOLD)
        self.eval_loss, self.peaks_per_frame, self.max_probability = MeanMetric(), MeanMetric(), MaxMetric()
        self.results: dict[str, float] = {}

    @property
    def stride(self) -> int:
        """Network pixels a cell of the logits."""
        return self.net.stride

    def forward(self, image: Tensor) -> Tensor:
        """Logits, see ``HeatmapNet``."""
        return self.net(image)  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch."""
        logits = self.net(batch.image)
        loss = self._loss(logits, batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        self.log("train/max_probability", logits.detach().amax().float().sigmoid(), batch_size=len(batch))
        return loss

    def detect(self, batch: Batch) -> Detections:
        """Peaks of a batch in image pixels, all that lie above the score floor."""
        logits = self.net(batch.image)
        # Peaks in ignore regions are found too; it is the metrics that pass them over.
        peaks = self.decoder(logits, self.net.stride, cells_of(batch.on_image(), self.net.stride))
        located = [box.peaks_to_image(found) for found, box in zip(peaks, batch.letterboxes, strict=True)]
        return Detections(batch.frames, located, logits)

    def _evaluate(self, batch: Batch) -> Detections:
        found = self.detect(batch)
        if batch.dummy:
            return Detections([], [], found.logits[:0])
        self.eval_loss.update(self._loss(found.logits, batch), weight=len(batch))
        self.max_probability.update(found.logits.float().amax().sigmoid())
        self.peaks_per_frame.update(torch.tensor([float(len(peaks.above(self.threshold))) for peaks in found.peaks]))
        count(found, batch, self.point_f1, self.sparse)
        return found

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        if batch.offset is not None:
            logits = logits + highest_of(batch.offset, self.net.stride)
        target = self.encoder(batch.points, batch.labelled, (logits.shape[-2], logits.shape[-1]), self.net.stride)
        return self.loss(logits, target, cells_of(batch.valid, self.net.stride))  # type: ignore[no-any-return]

    def _begin(self) -> None:
        for metric in (self.point_f1, self.sparse):
            metric.reset()
            metric.threshold = self.threshold

    def _finish(self, stage: str) -> None:
        """Compute and log what this set's labels can support; F1 only where frames are exhaustive."""
        values: dict[str, Tensor] = {
            "loss": self.eval_loss.compute(),
            "peaks_per_frame": self.peaks_per_frame.compute(),
            "max_probability": self.max_probability.compute(),
        }
        dense, sparse = self.point_f1.compute(), self.sparse.compute()
        if dense["n_images"] > 0:
            values |= dense
        if sparse["n_images"] > 0:
            values |= {("sparse_" + name if name.startswith("n_") else name): value for name, value in sparse.items()}
        values |= self._selection(dense, sparse)
        for metric in (self.eval_loss, self.peaks_per_frame, self.max_probability):
            metric.reset()
        self.results = {name: float(value) for name, value in values.items()}
        self.log_dict({f"{stage}/{name}": value for name, value in self.results.items()})

    def _selection(self, dense: dict[str, Tensor], sparse: dict[str, Tensor]) -> dict[str, Tensor]:
        """By what ``BestCheckpoint`` chooses, and its standard error: the whole score where it tells nothing.

        That of F1 as of a share of so many objects, one found and one missed beside them (Agresti and Coull 1998):
        five exhaustive frames are not to choose an epoch for a hundredth that they cannot tell.
        """
        if (n := dense["n_points"]) > 0:
            share = (dense["best_f1"] * n + 1) / (n + 2)
            return {"selection": dense["best_f1"], "selection_error": (share * (1 - share) / (n + 2)).sqrt()}
        error = sparse["lee_liu"] if self.labels_at_random is False else sparse["lee_liu_error"]
        return {"selection": sparse["lee_liu"], "selection_error": error}

    def on_validation_epoch_start(self) -> None:
        """Empty the metrics."""
        self._begin()

    def validation_step(self, batch: Batch, batch_idx: int) -> Detections:  # type: ignore[override]
        """Count a batch; callbacks get the peaks."""
        return self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        """Log what was counted, under ``val/``; while training, choose the threshold by it."""
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            self.calibration = calibrate(self.point_f1, self.sparse, labels_at_random=self.labels_at_random)
        self._finish("val")

    def on_test_epoch_start(self) -> None:
        """Empty the metrics."""
        self._begin()

    def test_step(self, batch: Batch, batch_idx: int) -> Detections:  # type: ignore[override]
        """Count a batch; callbacks get the peaks."""
        return self._evaluate(batch)

    def on_test_epoch_end(self) -> None:
        """Log what was counted, under ``test/``."""
        self._finish("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The injected optimizer, and the schedule over the whole run where there is one."""
        batches = self.trainer.estimated_stepping_batches
        if batches < 1:
            raise InputError(
                "the trainer's limits leave no batch to train on; see trainer.max_epochs, limit_train_batches"
            )
        optimizer = self.optimizer(self.parameters())
        if self.scheduler is None:
            return optimizer
        if math.isinf(batches):
            raise InputError(
                "model.scheduler goes over the whole run, and this one has no end; set trainer.max_epochs or max_steps"
            )
        schedule = self.scheduler(optimizer, int(batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add all that prediction needs, as plain values: how to build the model, and the threshold."""
        calibration = None if self.calibration is None else self.calibration.plain()
        checkpoint[CHECKPOINT_KEY] = {"recipe": self.recipe, "calibration": calibration}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the calibration over."""
        entry = checkpoint.get(CHECKPOINT_KEY, {}).get("calibration")
        self.calibration = None if entry is None else Calibration.read(entry)


def count(found: Detections, batch: Batch, dense: PointF1, sparse: SparsePointMetrics) -> None:
    """Let each frame's peaks be counted by the metric for frames of its kind.

    Args:
        found: on the batch.
        batch: says which frames are exhaustive.
        dense: counts those.
        sparse: counts the others.
    """
    for metric, wanted in ((dense, True), (sparse, False)):
        chosen = [i for i, exhaustive in enumerate(batch.exhaustive.tolist()) if exhaustive is wanted]
        metric.update([found.peaks[i] for i in chosen], [found.frames[i] for i in chosen])
