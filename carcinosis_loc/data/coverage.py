"""Which pixels of a network image count: a ``uint8`` map that moves with the pixels."""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Letterbox

Coverage = npt.NDArray[np.uint8]

PADDING = 0  # no image here
VALID = 1  # image that counts
IGNORED = 2  # image inside an ignore region

_SHIFT = 4  # fractional bits of the polygon corners that OpenCV draws


def coverage_map(letterbox: Letterbox, ignore: Iterable[Float32] = ()) -> Coverage:
    """The map ``(H, W)`` of a frame on its canvas: ``PADDING``, ``VALID`` or ``IGNORED``.

    Args:
        letterbox: how the frame lies on the canvas.
        ignore: polygons ``(M, 2)`` in image pixels. Pixels that a polygon's outline touches are ignored too.
    """
    coverage = np.full(letterbox.canvas, PADDING, np.uint8)
    (left, top), (height, width) = letterbox.offset, letterbox.resized
    inside = coverage[top : top + height, left : left + width]
    inside[:] = VALID
    for polygon in ignore:
        corners = letterbox.to_network(polygon) - np.array(letterbox.offset, np.float32)
        fixed = np.round(corners * (1 << _SHIFT)).astype(np.int32)
        drawn = np.zeros(inside.shape, np.uint8)
        cv2.fillPoly(drawn, [fixed], 1, shift=_SHIFT)
        inside[drawn > 0] = IGNORED
    return coverage
