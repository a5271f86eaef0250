"""What the loss adds to the logits of training batches, so that the network need not learn who was labelled."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit
from torch import Tensor

from carcinosis_loc.data.batch import Batch, Rgb

Float32 = npt.NDArray[np.float32]

MOST = 0.9  # chance of a label where all objects seem to have one: the logit of 1 is infinite
_FAINTEST = 1e-3  # contrast that a logarithm is taken of


@dataclass(frozen=True)
class FrameOffsets:
    """One number for all of a frame, see ``LabelChance``.

    Attributes:
        by_frame: image id to offset; 0 for a frame that is not there.
    """

    by_frame: Mapping[int, float]

    def __call__(self, batch: Batch) -> Tensor:
        """``(B, 1, 1, 1)``, float32."""
        return torch.tensor([self.by_frame.get(frame.image_id, 0.0) for frame in batch.frames]).reshape(-1, 1, 1, 1)


@dataclass(frozen=True)
class ContrastOffsets:
    """The logit of the chance of a label of each pixel, by its contrast, less the highest: see ``ConspicuousFirst``.

    Attributes:
        levels: image id to the log of the contrast from which a label is likelier than not; a frame that is not there
            is exhaustive.
        octaves: of the contrast.
        power: how steeply the chance rises with the contrast.
        least: chance of a label of what has no contrast.
    """

    levels: Mapping[int, float]
    octaves: int
    power: float
    least: float

    def __call__(self, batch: Batch) -> Tensor:
        """``(B, 1, H, W)``, float32."""
        rows = zip(batch.image.permute(0, 2, 3, 1).numpy(), batch.frames, strict=True)
        return torch.from_numpy(np.stack([self._of(rgb, self.levels.get(frame.image_id)) for rgb, frame in rows]))

    def _of(self, rgb: Rgb, level: float | None) -> Float32:
        if level is None:
            return np.zeros((1, *rgb.shape[:2]), np.float32)
        likely = expit(self.power * (log_contrast(rgb, self.octaves) - level))
        chance = self.least + (MOST - self.least) * likely
        return np.asarray(logit(chance) - logit(MOST), np.float32)[None]


def octaves_for(match_radius_px: float) -> int:
    """How many octaves of detail objects of this match radius (network pixels) may have: 3 for 6 px."""
    return max(1, round(float(np.log2(4 / 3 * match_radius_px))))


def log_contrast(rgb: Rgb, octaves: int) -> Float32:
    """Log of how much each pixel stands out from its surroundings, ``(h, w)``.

    The largest of the bands of a Laplacian pyramid (Burt and Adelson 1983) in CIELAB, each times its scale, so that of
    two spots as bright the larger stands out more; within two pixels the highest counts, as clicks miss a little.

    Args:
        rgb: ``(h, w, 3)``, uint8.
        octaves: number of bands; the last holds details of about ``2 ** octaves`` pixels.
    """
    fine = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB).astype(np.float32)
    size = (rgb.shape[1], rgb.shape[0])
    most = np.zeros(rgb.shape[:2], np.float32)
    for octave in range(octaves):
        coarse = cv2.pyrDown(fine)
        band = np.linalg.norm(fine - cv2.pyrUp(coarse, dstsize=fine.shape[1::-1]), axis=2) * 2**octave
        most = np.maximum(most, cv2.resize(band, size, interpolation=cv2.INTER_LINEAR))
        fine = coarse
    return np.asarray(np.log(np.maximum(cv2.dilate(most, np.ones((5, 5), np.uint8)), _FAINTEST)), np.float32)
