"""Pictures for the tracker's tests: a large texture and windows of it."""

import cv2
import numpy as np

from carcinosis_loc.points import Peaks


def texture(seed=0, size=(360, 480)):
    """Smooth coloured noise with something to hold on to at every scale."""
    random = np.random.default_rng(seed)
    total = np.zeros((*size, 3), np.float32)
    for sigma in (2, 5, 12):
        noise = cv2.GaussianBlur(random.normal(size=(*size, 3)).astype(np.float32), (0, 0), sigma)
        total += noise / noise.std()
    return np.clip(120 + 25 * total, 30, 210).astype(np.uint8)


def window(picture, x, y, size=(160, 200)):
    return np.ascontiguousarray(picture[y : y + size[0], x : x + size[1]])


def peaks(xy):
    xy = np.array(xy, np.float32).reshape(-1, 2)
    return Peaks(xy, np.full(len(xy), 0.9, np.float32))


def seen(points, x, y, size=(160, 200)):
    """Which points lie in the window, and where in it."""
    moved = np.asarray(points, float) - [x, y]
    inside = ((moved >= 0) & (moved <= [size[1] - 1, size[0] - 1])).all(1)
    return np.flatnonzero(inside), moved[inside]
