"""Dots drawn at sub-pixel places, and where a picture shows them."""

import numpy as np

BACKGROUND = (90, 70, 60)


def draw_dot(size, xy, sigma_px=2.5, height=110):
    """A picture ``(H, W, 3)``, uint8, with a Gaussian dot whose centre is ``xy``; pixel centres lie at integers."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    dot = height * np.exp(-((columns - xy[0]) ** 2 + (rows - xy[1]) ** 2) / (2 * sigma_px**2))
    return np.round(np.array(BACKGROUND) + dot[..., None]).astype(np.uint8)


def plain(size):
    """The same picture without the dot."""
    return np.full((*size, 3), BACKGROUND, np.uint8)


def centroid(with_dot, without_dot, near, radius_px=12):
    """Centre ``(x, y)`` of what differs between two pictures, in a window around ``near``; None if cut off."""
    height, width = with_dot.shape[:2]
    x, y = np.round(near).astype(int)
    if not (radius_px <= x < width - radius_px and radius_px <= y < height - radius_px):
        return None
    window = np.s_[y - radius_px : y + radius_px + 1, x - radius_px : x + radius_px + 1]
    weight = with_dot[window].astype(float).sum(-1) - without_dot[window].astype(float).sum(-1)
    weight -= np.median(weight)
    weight[weight < 0.03 * weight.max()] = 0
    rows, columns = np.mgrid[y - radius_px : y + radius_px + 1, x - radius_px : x + radius_px + 1]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
