"""Points a frame over time."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.report.frames import Float64, Int64

_STEPS = 240  # a place each on the curve: more than a page shows


@dataclass(frozen=True, eq=False)
class Burden:
    """Points a frame, smoothed by a moving window; all ``(K,)``, NaN where no frame lies in the window.

    Attributes:
        time_s: middle of the window.
        mean: of the counts in it.
        low: their 10th percentile.
        high: their 90th percentile.
    """

    time_s: Float64
    mean: Float64
    low: Float64
    high: Float64


def burden(time_s: Float64, counts: Int64, duration_s: float, window_s: float) -> Burden:
    """Smooth the counts of a video.

    The interval is the spread of the frames, from the 10th to the 90th percentile, and no confidence interval of the
    mean: neighbouring frames show the same nodules, so they are no independent draws, and one would be too narrow.

    Args:
        time_s: ``(N,)``, rising; gaps and uneven steps are fine.
        counts: ``(N,)``, points of each frame.
        duration_s: where the curve ends.
        window_s: width of the window.
    """
    middle = np.linspace(0.0, max(duration_s, 0.0), _STEPS if duration_s > 0 else 1)
    start = np.searchsorted(time_s, middle - window_s / 2, side="left")
    end = np.searchsorted(time_s, middle + window_s / 2, side="right")
    curve = np.full((3, len(middle)), np.nan)
    for place in np.flatnonzero(end > start):
        inside = counts[start[place] : end[place]]
        curve[:, place] = inside.mean(), *np.percentile(inside, (10, 90))
    return Burden(middle, *curve)
