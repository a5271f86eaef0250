"""How a picture moves when the camera does: turned, zoomed and shifted."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_FEWEST = 12  # matches that must agree; fewer agree by chance
_LEAST_SHARE = 0.3  # of all matches
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


def fit_similarity(before: Float64, after: Float64, tolerance_px: float) -> Similarity | None:
    """The similarity on which most matched points ``(N, 2)`` agree, by RANSAC; None if too few do.

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
    return found if sound else None
