"""Where a frame's peaks and points do not agree: missed, false, and near misses."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.metrics.arrays import Int64
from carcinosis_loc.metrics.matching import closest_matching
from carcinosis_loc.metrics.per_image import inside_any
from carcinosis_loc.points import Float32, Frame, Peaks

NEAR = 2.0  # match radii: a false peak so near to a missed point meant it


@dataclass(frozen=True, eq=False)
class Mistakes:
    """What is wrong in a frame, by index. A mislocated peak is false and its point missed for F1; here it stands once.

    Attributes:
        found: ``(K, 2)``, peak and point that match.
        mislocated: ``(M, 2)``, peak and point beyond the match radius, but within ``NEAR`` of them.
        missed: ``(N,)``, points without a peak.
        false: ``(L,)``, peaks without a point, outside ignore regions.
    """

    found: Int64
    mislocated: Int64
    missed: Int64
    false: Int64

    def __len__(self) -> int:
        return len(self.mislocated) + len(self.missed) + len(self.false)


def mistakes(peaks: Peaks, frame: Frame, match_radius_px: float) -> Mistakes:
    """Compare the peaks that count with the points of an exhaustive frame, both in image pixels."""
    found, _ = closest_matching(peaks.xy, frame.points.xy, match_radius_px)
    passed_over = np.flatnonzero(inside_any(peaks.xy, frame.ignore))
    false = np.setdiff1d(np.arange(len(peaks)), np.concatenate([found[:, 0], passed_over]))
    missed = np.setdiff1d(np.arange(len(frame.points)), found[:, 1])
    near = _among(false, missed, peaks.xy, frame.points.xy, NEAR * match_radius_px)
    return Mistakes(found, near, np.setdiff1d(missed, near[:, 1]), np.setdiff1d(false, near[:, 0]))


def _among(false: Int64, missed: Int64, peaks_xy: Float32, points_xy: Float32, radius_px: float) -> Int64:
    pairs, _ = closest_matching(peaks_xy[false], points_xy[missed], radius_px)
    return np.stack([false[pairs[:, 0]], missed[pairs[:, 1]]], axis=1)
