"""What ``predict`` asks for peaks, whatever computes them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.points import Frame, Peaks

FALLBACK_THRESHOLD = 0.5


class Detections(NamedTuple):
    """What an evaluation step hands to the callbacks: frames, their peaks in image pixels, and the logits."""

    frames: list[Frame]
    peaks: list[Peaks]
    logits: Tensor


class PointDetector(LightningModule, ABC):
    """What predicts: a trained module, or an exported file.

    Attributes:
        decoder: how peaks are found; holds the threshold that was given by hand.
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        calibration: the threshold that was chosen in training, if one was.
        look: how it looks at each image, while nothing is trained; see ``Inference``.
        exported_from: the exported file that it is; None for a trained module.
        exported_checkpoint_sha256: of the checkpoint that the exported file was made of.
    """

    decoder: PeakDecoder
    match_radius_px: float
    calibration: Calibration | None
    look: Look = ONCE
    exported_from: Path | None = None
    exported_checkpoint_sha256: str | None = None

    @property
    def threshold(self) -> float:
        """The score from which a peak counts: the decoder's, else the calibrated one, else 0.5."""
        return threshold_of(self.decoder, self.calibration)

    @property
    @abstractmethod
    def stride(self) -> int:
        """Network pixels a cell of the logits."""

    @abstractmethod
    def detect(self, batch: Batch) -> Detections:
        """Peaks of a batch in image pixels, all that lie above the score floor."""

    def predict_step(self, batch: Batch, batch_idx: int) -> Detections:
        """Peaks of a batch; a callback writes them."""
        return self.detect(batch) if not batch.dummy else Detections([], [], torch.zeros(0))


def threshold_of(decoder: PeakDecoder, calibration: Calibration | None) -> float:
    """The score from which a peak counts: the decoder's, else the calibrated one, else 0.5."""
    if decoder.threshold is not None:
        return decoder.threshold
    return calibration.threshold if calibration else FALLBACK_THRESHOLD


def look_of(calibration: Calibration | None) -> Look:
    """How the network looked at images when its threshold was chosen; once where none was."""
    return calibration.look if calibration else ONCE
