"""The definitions, written down without any thought of speed: every matching there is, one by one."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from carcinosis_loc.points import Frame, Peaks, Points

SIDE = 6  # of the small frames that strategies draw

# Coordinates are integers and squared distances therefore exact; several radii are distances that occur.
RADII = [0.5, 1.0, 1.5, 2.0, 2.5, 5.0]
# Some shared by several peaks; all further apart than a score bin.
SCORES = [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.71, 0.97, 1.0]

points_xy = st.lists(st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)), max_size=5).map(
    lambda xy: np.array(xy, np.float32).reshape(-1, 2)
)


@st.composite
def peaks_of(draw):
    """Up to five peaks, best first."""
    xy = draw(points_xy)
    values = sorted((draw(st.sampled_from(SCORES)) for _ in xy), reverse=True)
    return Peaks(xy, np.array(values, np.float32))


@st.composite
def frames(draw, ignore=True):
    """A frame with up to five points and perhaps an ignore region: the columns up to x = 2.5."""
    region = np.array([[-1, -1], [2.5, -1], [2.5, SIDE + 1], [-1, SIDE + 1]], np.float32)
    polygons = (region,) if ignore and draw(st.booleans()) else ()
    return frame_of(draw(points_xy), polygons)


def frame_of(xy=(), ignore=(), image_id=1, size=(64, 64)):
    points = Points(np.array(xy, np.float32).reshape(-1, 2))
    return Frame(image_id, f"{image_id}.png", Path(f"{image_id}.png"), size, points, tuple(ignore), True)


def peaks_at(*triples):
    """Peaks from ``(x, y, score)``, best first."""
    array = np.array(triples, np.float32).reshape(-1, 3)
    return Peaks(array[:, :2], array[:, 2])


def all_matchings(peaks_xy, truth_xy, radius):
    """Every one-to-one matching within the radius, as lists of (peak, point, distance)."""

    def extend(peak, taken):
        if peak == len(peaks_xy):
            yield []
            return
        yield from extend(peak + 1, taken)
        for point in range(len(truth_xy)):
            dx, dy = (float(v) for v in peaks_xy[peak].astype(np.float64) - truth_xy[point].astype(np.float64))
            if point not in taken and dx * dx + dy * dy <= radius * radius:
                for rest in extend(peak + 1, taken | {point}):
                    yield [(peak, point, (dx * dx + dy * dy) ** 0.5), *rest]

    yield from extend(0, frozenset())


def best_matching(peaks_xy, truth_xy, radius):
    """Size of the largest matching, and the smallest total distance of that size."""
    size, total = max((len(m), -sum(d for _, _, d in m)) for m in all_matchings(peaks_xy, truth_xy, radius))
    return size, -total


def counts_at(peaks, frame, radius, threshold):
    """Matches, and predicted points that count, at a threshold.

    Peaks in ignore regions (here: x below 2.5) count if matched, in the maximum matching that uses fewest of them.
    """
    xy = peaks.xy[peaks.scores >= np.float32(threshold)]
    outside = [not (frame.ignore and x <= 2.5) for x in xy[:, 0]]
    size, used_outside = max(
        (len(m), sum(outside[peak] for peak, _, _ in m)) for m in all_matchings(xy, frame.points.xy, radius)
    )
    return size, sum(outside) + size - used_outside
