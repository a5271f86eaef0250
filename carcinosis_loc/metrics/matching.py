"""One-to-one matching of peaks and points: the radius first, the assignment afterwards. NumPy and SciPy only.

Assigning first and cutting at the radius afterwards gives fewer matches than there are: the assignment then spends
points on pairs that the radius forbids.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from carcinosis_loc.metrics.arrays import Bool, Float64, Int64
from carcinosis_loc.points import Float32, Peaks, Points


def candidate_pairs(peaks_xy: Float32, truth_xy: Float32, match_radius_px: float) -> tuple[Int64, Float64]:
    """All pairs of a peak and a point that lie at most ``match_radius_px`` apart, in float64.

    Args:
        peaks_xy: ``(P, 2)``, image pixels.
        truth_xy: ``(T, 2)``, image pixels.
        match_radius_px: image pixels; a distance equal to it is within.

    Returns:
        Pairs ``(K, 2)``: index of the peak, index of the point; and distances ``(K,)``, image pixels. Sorted by
        peak, then distance, then point.
    """
    if not len(peaks_xy) or not len(truth_xy):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float64)
    near = cKDTree(peaks_xy).sparse_distance_matrix(cKDTree(truth_xy), match_radius_px, output_type="ndarray")
    near = near[np.lexsort((near["j"], near["v"], near["i"]))]
    pairs = np.stack([near["i"], near["j"]], axis=1).astype(np.int64)
    return pairs, near["v"].astype(np.float64)


def match_curve(peaks: Peaks, truth: Points, match_radius_px: float) -> Bool:
    """Which peaks, inserted by falling score, make the maximum matching larger.

    The cumulative sum is the true maximum number of one-to-one matches among the first 1, 2, ... peaks. Where
    scores are equal, one threshold takes all of those peaks or none, so only the sum after the last of them is a
    point of the curve; it does not depend on their order.

    Args:
        peaks: sorted by falling score, image pixels.
        truth: image pixels.
        match_radius_px: image pixels; a distance equal to it is within.

    Returns:
        ``(P,)``, bool.
    """
    return _enlarging(peaks.xy, truth.xy, match_radius_px)


def maximum_matching(peaks_xy: Float32, truth_xy: Float32, match_radius_px: float) -> int:
    """Size of the maximum one-to-one matching of ``(P, 2)`` and ``(T, 2)`` within the radius."""
    return int(_enlarging(peaks_xy, truth_xy, match_radius_px).sum())


def _enlarging(peaks_xy: Float32, truth_xy: Float32, match_radius_px: float) -> Bool:
    """True for each peak, in the order given, whose insertion makes the maximum matching larger."""
    pairs, _ = candidate_pairs(peaks_xy, truth_xy, match_radius_px)
    found = np.zeros(len(peaks_xy), np.bool_)
    neighbours: dict[int, list[int]] = {}
    for peak, point in pairs.tolist():
        neighbours.setdefault(peak, []).append(point)
    matching = _GrowingMatching(neighbours)
    for peak in neighbours:
        found[peak] = matching.insert(peak)
    return found


class _GrowingMatching:
    """A matching that is maximum at any time among the peaks inserted so far (Berge: one augmenting path each)."""

    def __init__(self, neighbours: dict[int, list[int]]) -> None:
        self.neighbours = neighbours
        self.peak_of: dict[int, int] = {}
        self.point_of: dict[int, int] = {}
        # Points from which no free point can be reached. A failed search visits a set that is closed: whoever holds
        # one of its points reaches only points of the set, all held. So no later search need enter it.
        self.closed: set[int] = set()

    def insert(self, peak: int) -> bool:
        """Search breadth first for a free point; on success, shift the matches along the path."""
        reached_from: dict[int, int] = {}
        queue = [peak]
        for visited in queue:
            for point in self.neighbours[visited]:
                if point in reached_from or point in self.closed:
                    continue
                reached_from[point] = visited
                holder = self.peak_of.get(point)
                if holder is None:
                    self._shift(point, reached_from)
                    return True
                queue.append(holder)
        self.closed.update(reached_from)
        return False

    def _shift(self, point: int | None, reached_from: dict[int, int]) -> None:
        while point is not None:
            peak = reached_from[point]
            given_up = self.point_of.get(peak)
            self.peak_of[point], self.point_of[peak] = peak, point
            point = given_up


def closest_matching(peaks_xy: Float32, truth_xy: Float32, match_radius_px: float) -> tuple[Int64, Float64]:
    """Among the maximum matchings within the radius, one with the smallest total distance.

    Args:
        peaks_xy: ``(P, 2)``, image pixels.
        truth_xy: ``(T, 2)``, image pixels.
        match_radius_px: image pixels; a distance equal to it is within.

    Returns:
        Pairs ``(M, 2)``: index of the peak, index of the point, sorted by peak; and distances ``(M,)``, image
        pixels. M is the size of the maximum matching.
    """
    pairs, distances = candidate_pairs(peaks_xy, truth_xy, match_radius_px)
    if not len(pairs):
        return pairs, distances
    component = _components(pairs, len(peaks_xy), len(truth_xy))
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    chosen = np.concatenate([_assign(group, pairs, distances) for group in groups])
    chosen.sort()
    return pairs[chosen], distances[chosen]


def _components(pairs: Int64, n_peaks: int, n_points: int) -> Int64:
    """Number of the connected component that each pair belongs to, ``(K,)``."""
    nodes = n_peaks + n_points
    edges = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], n_peaks + pairs[:, 1])), shape=(nodes, nodes))
    _, label = connected_components(edges, directed=False)
    return np.asarray(label, np.int64)[pairs[:, 0]]


def _assign(group: Int64, pairs: Int64, distances: Float64) -> Int64:
    """Indices of the pairs that the closest maximum matching takes from one component, ``group``."""
    if len(group) == 1:
        return group
    peaks, rows = np.unique(pairs[group, 0], return_inverse=True)
    points, columns = np.unique(pairs[group, 1], return_inverse=True)
    # Leaving one match out must cost more than all distances together, so that the number of matches goes first.
    forbidden = float(distances[group].sum()) + 1.0
    cost = np.full((len(peaks), len(points)), forbidden)
    cost[rows, columns] = distances[group]
    index = np.full(cost.shape, -1, np.int64)
    index[rows, columns] = group
    taken = index[linear_sum_assignment(cost)]
    return taken[taken >= 0]
