"""How a picture moves when the camera does: turned, zoomed and shifted."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_FEWEST = 8  # matches that must agree; fewer agree by chance
_LEAST_SHARE = 0.3  # of all matches
_DOUBT = 1.0  # so many followed points' weight speaks for no residual
_REACH = 8  # tolerances
_ZOOMS = (1 / 3, 3.0)


@dataclass(frozen=True)
class Similarity:
    """The map ``z -> turn * z + shift`` of points as complex numbers ``x + iy``, image pixels.

    Attributes:
        turn: its absolute value is the zoom, its angle the rotation.
        shift: pixels.
    """

    turn: complex = 1 + 0j
    shift: complex = 0j

    def __call__(self, xy: Float64) -> Float64:
        """Map points ``(N, 2)``."""
        z = (xy[:, 0] + 1j * xy[:, 1]) * self.turn + self.shift
        return np.stack([z.real, z.imag], axis=1)

    def after(self, first: "Similarity") -> "Similarity":
        """The map that does ``first`` and then this."""
        return Similarity(self.turn * first.turn, self.turn * first.shift + self.shift)

    def inverse(self) -> "Similarity":
        """The map back."""
        return Similarity(1 / self.turn, -self.shift / self.turn)


@dataclass(frozen=True, eq=False)
class Motion:
    """A similarity, and what the tissue does beside it: it is soft, and not flat.

    Attributes:
        whole: the motion of the picture as a whole.
        places: ``(K, 2)``, image pixels before: points that were followed.
        residuals: ``(K, 2)``, pixels: how far each went beside the whole.
        reach_px: how far a followed point speaks for its surroundings.
    """

    whole: Similarity
    places: Float64
    residuals: Float64
    reach_px: float

    def __call__(self, xy: Float64) -> Float64:
        """Map points ``(N, 2)``: each goes with the whole, and with the followed points around it."""
        if not len(xy):
            return xy
        square = ((xy[:, None] - self.places[None]) ** 2).sum(2)
        weights = np.exp(-0.5 * square / self.reach_px**2)
        beside = weights @ self.residuals / (weights.sum(1, keepdims=True) + _DOUBT)
        return np.asarray(self.whole(xy) + beside, np.float64)


STILL = Motion(Similarity(), np.zeros((0, 2)), np.zeros((0, 2)), 1.0)
"""No motion."""


def fit_motion(before: Float64, after: Float64, tolerance_px: float) -> Motion | None:
    """The motion on which most matched points ``(N, 2)`` agree, by RANSAC; None if too few do.

    OpenCV seeds its RANSAC afresh at every call, so equal points give equal maps.
    """
    if len(before) < _FEWEST:
        return None
    matrix, agree = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=tolerance_px, maxIters=1000, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    n_agree = int(np.count_nonzero(agree))
    found = Similarity(complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2]))
    sound = n_agree >= max(_FEWEST, _LEAST_SHARE * len(before)) and _ZOOMS[0] < abs(found.turn) < _ZOOMS[1]
    if not sound:
        return None
    kept = agree[:, 0] > 0
    return Motion(found, before[kept], after[kept] - found(before[kept]), _REACH * tolerance_px)
