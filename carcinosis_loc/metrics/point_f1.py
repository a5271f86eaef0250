"""F1 of predicted points, the whole precision-recall curve, and what belongs to them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from carcinosis_loc.metrics.arrays import Int64
from carcinosis_loc.metrics.base import PointMetric, checked_radius_px
from carcinosis_loc.metrics.curves import (
    Curve,
    average_precision,
    best_f1,
    precision_recall_curve,
    quotient,
)
from carcinosis_loc.metrics.per_image import ImageRow, curve_steps
from carcinosis_loc.points import Frame, Peaks

# Fractions are summed as whole multiples of these, so that the order of the sum does not matter.
_F1_UNIT = 2.0**-32
_DISTANCE_UNIT_PX = 2.0**-20


class _Totals(NamedTuple):
    """Sums over frames, at the threshold."""

    n_images: int
    n_points: int
    n_predicted: int
    n_found: int
    distance_units: int
    n_not_blank: int  # frames with points or predictions
    f1_units: int
    n_empty: int  # frames without points
    n_empty_predicted: int  # of these, the ones with predictions
    count_error: int
    absolute_count_error: int


class PointF1(PointMetric):
    """F1 at a threshold, pooled over frames, with the curve over all thresholds.

    True positives are a maximum one-to-one matching of peaks and points among the pairs within the radius. The
    caller passes exhaustive frames only: where not every object is labelled, precision cannot be told.

    ``compute()`` gives 0-dim tensors; 0/0 is 0, never NaN:

    - ``f1``, ``precision``, ``recall``: at ``threshold``, over all frames together (micro).
    - ``best_f1``, ``best_threshold``: the highest F1 of all thresholds, and the threshold for it (the middle of its
      plateau, see ``curves.best_threshold``). Scores closer than a bin (0.003 in logit) are one step; where the
      threshold in use falls between them and does better, it is the best. So ``best_f1 >= f1``.
    - ``average_precision``: uninterpolated step sum.
    - ``f1_image_mean``: mean of the frames' own F1, over frames with points or predictions (others have none).
    - ``empty_frame_false_positive_rate``: of the frames without points, the share with any prediction.
    - ``localisation_error_px``: mean distance of the matched pairs at ``threshold``; of all maximum matchings, that
      with the smallest total distance in each frame.
    - ``count_mae``, ``count_bias``: mean absolute and mean signed (predicted - true) difference of counts a frame.
    - ``n_images``, ``n_points``, ``n_predicted``: frames, points, and predicted points that count, at ``threshold``.
    - ``f1@{r}px``: F1 at ``threshold`` with each of the extra radii.

    Args:
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        threshold: the score from which a peak counts; may be set anew before frames are counted.
        extra_radii_px: further radii at which F1 is reported, image pixels.
        by_frame: keep each frame's scores apart too, which ``calibrate`` needs to say how sure a threshold is; 12 bytes
            a peak, where the other states do not grow.

    Raises:
        InputError: a radius is no positive number, or the threshold is not in [0, 1].
    """

    totals: Tensor
    extra: Tensor

    def __init__(
        self, match_radius_px: float, threshold: float, extra_radii_px: Sequence[float] = (), by_frame: bool = False
    ) -> None:
        super().__init__(match_radius_px, threshold, by_frame)
        self.extra_radii_px = tuple(checked_radius_px("extra_radii_px", radius) for radius in extra_radii_px)
        self._curve: Curve | None = None
        self._add_sum("totals", len(_Totals._fields))
        if self.extra_radii_px:
            self._add_sum("extra", 2, len(self.extra_radii_px))  # found and predicted, at each radius

    def update(self, peaks: Sequence[Peaks], frames: Sequence[Frame]) -> None:
        """Count exhaustive frames with the peaks found in them, both in image pixels."""
        rows = [frame.row for frame in self._count(peaks, frames)]
        self._add("totals", np.array([_totals(row) for row in rows], np.int64).reshape(-1, len(_Totals._fields)).sum(0))
        if self.extra_radii_px:
            self._add("extra", self._at_extra_radii(peaks, frames))

    def _at_extra_radii(self, peaks: Sequence[Peaks], frames: Sequence[Frame]) -> Int64:
        counts = np.zeros((2, len(self.extra_radii_px)), np.int64)
        for peaks_of_frame, frame in zip(peaks, frames, strict=True):
            above = peaks_of_frame.above(self.threshold)
            for index, radius_px in enumerate(self.extra_radii_px):
                found, counted = curve_steps(above, frame, radius_px)
                counts[:, index] += found.sum(), counted.sum()
        return counts

    def compute(self) -> dict[str, Tensor]:
        """All figures over what was counted, on every process."""
        totals = _Totals(*self.totals.tolist())
        found, predicted = self._histograms()
        self._curve = precision_recall_curve(found, predicted, totals.n_points)
        f1 = quotient(2 * totals.n_found, totals.n_predicted + totals.n_points)
        candidates = (best_f1(found, predicted, totals.n_points), (f1, self.threshold))
        highest_f1, threshold = max(candidates, key=lambda pair: pair[0])
        values = {
            "f1": f1,
            "precision": quotient(totals.n_found, totals.n_predicted),
            "recall": quotient(totals.n_found, totals.n_points),
            "best_f1": highest_f1,
            "best_threshold": threshold,
            "average_precision": average_precision(found, predicted, totals.n_points),
            "f1_image_mean": quotient(totals.f1_units * _F1_UNIT, totals.n_not_blank),
            "empty_frame_false_positive_rate": quotient(totals.n_empty_predicted, totals.n_empty),
            "localisation_error_px": quotient(totals.distance_units * _DISTANCE_UNIT_PX, totals.n_found),
            "count_mae": quotient(totals.absolute_count_error, totals.n_images),
            "count_bias": quotient(totals.count_error, totals.n_images),
            "n_images": totals.n_images,
            "n_points": totals.n_points,
            "n_predicted": totals.n_predicted,
        }
        return self._as_tensors(values | self._extra_f1(totals.n_points))

    def _extra_f1(self, n_points: int) -> dict[str, float]:
        if not self.extra_radii_px:
            return {}
        return {
            f"f1@{radius_px:g}px": quotient(2 * found, predicted + n_points)
            for radius_px, found, predicted in zip(self.extra_radii_px, *self.extra.tolist(), strict=True)
        }

    @property
    def curve(self) -> Curve:
        """The curve over all thresholds that ``compute()`` saw, over all processes.

        Calls ``compute()`` if it was not called since the last update; then every process must ask.
        """
        self.compute()
        assert self._curve is not None
        return self._curve


def _totals(row: ImageRow) -> _Totals:
    error = row.n_predicted - row.n_points
    return _Totals(
        n_images=1,
        n_points=row.n_points,
        n_predicted=row.n_predicted,
        n_found=row.tp,
        distance_units=round(row.localisation_error_px * row.tp / _DISTANCE_UNIT_PX),
        n_not_blank=int(row.n_points + row.n_predicted > 0),
        f1_units=round(row.f1 / _F1_UNIT),
        n_empty=int(row.n_points == 0),
        n_empty_predicted=int(row.n_points == 0 and row.n_predicted > 0),
        count_error=error,
        absolute_count_error=abs(error),
    )
