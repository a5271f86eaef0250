"""What one frame adds to the figures, and its row in ``per_image.csv``."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.metrics.arrays import Bool, Float64
from carcinosis_loc.metrics.curves import quotient
from carcinosis_loc.metrics.matching import closest_matching, match_curve
from carcinosis_loc.points import Float32, Frame, Peaks


@dataclass(frozen=True)
class ImageRow:
    """Figures of one frame at one threshold; where a quotient is 0/0, it is 0.

    Attributes:
        tp: matched pairs.
        fp: predicted points that match none.
        fn: labelled points that none matches.
        n_points: labelled points.
        n_predicted: predicted points that count: ``tp + fp``.
        f1: ``2 tp / (n_predicted + n_points)``.
        precision: ``tp / n_predicted``.
        recall: ``tp / n_points``.
        localisation_error_px: mean distance of the matched pairs, image pixels.
    """

    tp: int
    fp: int
    fn: int
    n_points: int
    n_predicted: int
    f1: float
    precision: float
    recall: float
    localisation_error_px: float


def per_image(peaks: Peaks, frame: Frame, match_radius_px: float, threshold: float) -> ImageRow:
    """Score one frame: the peaks at or above ``threshold`` against its points, all in image pixels.

    Peaks in ignore regions are treated as ``curve_steps`` says. On a frame whose labels are sparse only ``tp``,
    ``fn``, ``recall`` and the counts can be read as they stand.
    """
    above = peaks.above(threshold)
    pairs, distances = closest_matching(above.xy, frame.points.xy, match_radius_px)
    tp, n_points, n_predicted = len(pairs), len(frame.points), len(above)
    if frame.ignore:
        n_predicted = int(curve_steps(above, frame, match_radius_px)[1].sum())
    return ImageRow(
        tp=tp,
        fp=n_predicted - tp,
        fn=n_points - tp,
        n_points=n_points,
        n_predicted=n_predicted,
        f1=quotient(2 * tp, n_predicted + n_points),
        precision=quotient(tp, n_predicted),
        recall=quotient(tp, n_points),
        localisation_error_px=quotient(float(distances.sum()), tp),
    )


def curve_steps(peaks: Peaks, frame: Frame, match_radius_px: float) -> tuple[Bool, Bool]:
    """What each peak adds when peaks are inserted by falling score.

    A peak inside an ignore region counts only for points that no peak outside can find: of the maximum matchings
    the one is meant that uses the most peaks outside. Other peaks inside are neither right nor wrong. Labelled
    points are truth wherever they lie, in ignore regions too.

    Returns:
        ``found``: ``(P,)``, bool, the peak adds a match.
        ``counted``: ``(P,)``, bool, the peak adds a predicted point that counts. Both have true cumulative sums.
    """
    found = match_curve(peaks, frame.points, match_radius_px)
    inside = inside_any(peaks.xy, frame.ignore)
    if not inside.any():
        return found, np.ones(len(peaks), np.bool_)
    found_outside = np.zeros(len(peaks), np.bool_)
    outside = Peaks(peaks.xy[~inside], peaks.scores[~inside])
    found_outside[~inside] = match_curve(outside, frame.points, match_radius_px)
    # Up to any score, the peaks outside count, and those inside as often as they find what these do not: the
    # difference of the two maxima. An outside peak that adds nothing to the larger maximum, but to the smaller one,
    # takes the place of a peak inside: the number that counts stays. Each step is therefore 0 or 1.
    counted = (~inside).astype(np.int64) + found.astype(np.int64) - found_outside.astype(np.int64)
    return found, counted.astype(np.bool_)


def inside_any(xy: Float32, polygons: tuple[Float32, ...]) -> Bool:
    """Which of the points ``(N, 2)`` lie in a polygon ``(M, 2)`` (even-odd rule) or on its outline; ``(N,)``."""
    inside = np.zeros(len(xy), np.bool_)
    for polygon in polygons:
        near = ((xy >= polygon.min(axis=0)) & (xy <= polygon.max(axis=0))).all(axis=1) & ~inside
        if near.any():
            inside[near] = _inside(xy[near].astype(np.float64), polygon.astype(np.float64))
    return inside


def _inside(xy: Float64, polygon: Float64) -> Bool:
    start, end = polygon, np.roll(polygon, -1, axis=0)
    point = xy[:, None, :]  # (N, 1, 2) against M edges
    along, offset = end - start, point - start
    side = along[:, 0] * offset[..., 1] - along[:, 1] * offset[..., 0]
    spans = (start[:, 1] <= point[..., 1]) != (end[:, 1] <= point[..., 1])
    crossed = spans & ((side > 0) == (along[:, 1] > 0))  # by the ray from the point towards rising x
    boxed = ((point >= np.minimum(start, end)) & (point <= np.maximum(start, end))).all(axis=2)
    on_outline = (side == 0) & boxed
    return np.asarray((crossed.sum(axis=1) % 2 == 1) | on_outline.any(axis=1))
