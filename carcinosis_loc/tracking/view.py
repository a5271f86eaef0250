"""What the tracker sees of a frame: a small copy in green, without glare and black border, and its features."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Size, rescale
from carcinosis_loc.tracking.similarity import Float64, Motion, fit_motion

UInt8 = npt.NDArray[np.uint8]

LONGER_SIDE_PX = 400  # motion is found on a copy of this size: the time does not depend on that of the video
_CORNERS = 200
_FEATURES = 250
_FEWEST_FEATURES = 30
_TOLERANCE_PX = 2.5  # of the copy: tissue moves by itself
_RATIO = 0.85  # Lowe's: the best match must be so much nearer than the second
_DARKEST, _BRIGHTEST = 14, 225


@dataclass(frozen=True, eq=False)
class View:
    """A frame as the tracker keeps it.

    Attributes:
        grey: ``(h, w)``, the green channel of the frame's small copy: vessels and nodules stand out most in it.
        size: ``(height, width)`` of the frame, image pixels.
    """

    grey: UInt8
    size: Size

    @classmethod
    def of(cls, image: UInt8) -> "View":
        """Look at a frame, ``(H, W, 3)``, RGB."""
        height, width = image.shape[:2]
        shrink = min(1.0, LONGER_SIDE_PX / max(height, width))
        small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        copy = image if shrink == 1 else cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cls(np.ascontiguousarray(copy[..., 1]), (height, width))

    @cached_property
    def mask(self) -> UInt8:
        """255 where tissue may be: glare moves with the lamp and the black border not at all."""
        return np.asarray(255 * (1 - _widened((self.grey < _DARKEST) | (self.grey > _BRIGHTEST))), np.uint8)

    @cached_property
    def glare(self) -> float:
        """The share of what is lit that glare and its rims hide, 0 to 1."""
        lit = self.grey >= _DARKEST
        return float((_widened(self.grey > _BRIGHTEST)[lit] > 0).mean()) if lit.any() else 0.0

    @cached_property
    def corners(self) -> npt.NDArray[np.float32]:
        """Corners for optical flow, ``(N, 2)``, pixels of the small copy."""
        found = cv2.goodFeaturesToTrack(self.grey, _CORNERS, 0.01, 6, mask=self.mask)
        return np.zeros((0, 2), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 2)

    @cached_property
    def features(self) -> tuple[Float64, npt.NDArray[np.float32]]:
        """SIFT features: places ``(N, 2)``, image pixels, and descriptors ``(N, 128)``, whole numbers to 255."""
        sift = cv2.SIFT.create(_FEATURES, contrastThreshold=0.015)
        points, descriptors = sift.detectAndCompute(self.grey, self.mask)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
        # glare or a flat picture may give a feature in two directions: each counts
        places = np.array([point.pt for point in points[:_FEATURES]], np.float64).reshape(-1, 2)
        return self.to_image(places), np.asarray(descriptors[:_FEATURES], np.float32)

    @cached_property
    def blind(self) -> bool:
        """True if there is too little to see to tell how the camera moves: black, white or blurred."""
        return len(self.corners) < _FEWEST_FEATURES

    @property
    def tolerance_px(self) -> float:
        """How far matched points may be off, image pixels."""
        return float(_TOLERANCE_PX * max(self.size) / max(self.grey.shape))

    def to_image(self, xy: Float64) -> Float64:
        """Pixels of the small copy to image pixels."""
        factor = np.array([self.size[1] / self.grey.shape[1], self.size[0] / self.grey.shape[0]])
        return np.asarray(rescale(np.asarray(xy, np.float64), factor))


def _widened(where: npt.NDArray[np.bool_]) -> UInt8:
    return np.asarray(cv2.dilate(where.astype(np.uint8), np.ones((7, 7), np.uint8)), np.uint8)


def motion_by_flow(before: View, now: View) -> Motion | None:
    """The motion from one frame to the next, by sparse optical flow there and back; None if it cannot be told."""
    if before.blind or now.blind or before.grey.shape != now.grey.shape:
        return None
    there, seen, _ = cv2.calcOpticalFlowPyrLK(before.grey, now.grey, before.corners, None, maxLevel=4)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(now.grey, before.grey, there, None, maxLevel=4)
    kept = (seen[:, 0] > 0) & (seen_back[:, 0] > 0) & (np.hypot(*(back - before.corners).T) < 1)
    return fit_motion(before.to_image(before.corners[kept]), now.to_image(there[kept]), now.tolerance_px)


def motion_by_features(
    before: tuple[Float64, npt.NDArray[np.float32]], now: tuple[Float64, npt.NDArray[np.float32]], tolerance_px: float
) -> Motion | None:
    """The motion between two frames however far apart, by mutually best matches of features; None if there is none."""
    if min(len(before[0]), len(now[0])) < 2:
        return None
    square = (before[1] ** 2).sum(1)[:, None] + (now[1] ** 2).sum(1)[None, :] - 2 * before[1] @ now[1].T
    best = square.argmin(1)
    rows = np.arange(len(best))
    nearest, second = np.partition(square, 1, axis=1)[:, :2].T
    kept = (nearest < _RATIO**2 * second) & (square.argmin(0)[best] == rows)
    return fit_motion(before[0][kept], now[0][best[kept]], tolerance_px)
