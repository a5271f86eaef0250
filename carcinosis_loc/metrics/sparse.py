"""What frames can tell in which only some of the objects are labelled."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.base import PointMetric
from carcinosis_loc.metrics.curves import NEUTRAL_THRESHOLD, SCORE_EDGES, at_or_above, best_threshold, quotient, ratio
from carcinosis_loc.metrics.estimates import estimated_objects, recall_beyond_chance
from carcinosis_loc.metrics.probability import scale_by_labels
from carcinosis_loc.metrics.valley import LEAST_LABELS, Knee, Valley, find_knee, find_valley
from carcinosis_loc.points import Frame, Peaks

_NO_VALLEY = Valley(NEUTRAL_THRESHOLD, 1.0, 0.0, 0, NEUTRAL_THRESHOLD, NEUTRAL_THRESHOLD)
_NO_KNEE = Knee(1.0, 0.0)


class SparsePointMetrics(PointMetric):
    """Recall on the labelled points, predicted points a frame, and the Lee-Liu score made of the two.

    A peak without a label may have found an object that nobody labelled, so neither precision nor F1 is given.
    Instead: Lee and Liu's ``r^2 / Pr[f = 1]`` (Learning with positive and unlabeled examples using weighted logistic
    regression, ICML 2003) needs no negatives. It ranks thresholds and models as precision times recall would, **if
    labels are missing at random**: if recall on labelled points is the recall on all of them. Where the conspicuous
    objects were labelled first, that recall is too high, and the more so the higher the threshold.

    Here it is scaled by the number of labels, ``recall^2 * labelled / predicted``, that is found / labelled times
    found / predicted: in [0, 1], free of a unit, and in expectation precision times recall times the share of
    objects that is labelled. Compare it between models on the same frames and labels only.

    ``compute()`` gives 0-dim tensors; 0/0 is 0, never NaN:

    - ``recall_on_labelled``: labelled points found at ``threshold``, over all frames together.
    - ``predicted_per_frame``: predicted points a frame at ``threshold``.
    - ``lee_liu``, ``lee_liu_threshold``: the highest score of all thresholds and the threshold for it, chosen as
      ``PointF1`` chooses its best.
    - ``lee_liu_error``: standard error of that score, as far as it comes from which labels there are.
    - ``estimated_objects_per_frame``, ``labelled_share``: how many objects there seem to be, and the share of them
      that is labelled (``scale_by_labels``), **if labels are missing at random on each frame**; 0 where too few labels
      are found (``estimated_objects`` says None).
    - ``valley_threshold``, ``valley_top``, ``valley_bottom``, ``valley_depth``, ``labels_lean``: see ``find_valley``;
      0.5, 0.5, 0.5, 1 and 0 where there is none, and the lean 0 where too few labels lie above it.
    - ``knee_threshold``, ``knee_steepness``: see ``find_knee``; 1 and 0 where there is none.
    - ``labels_median``: median score of the peaks that found a label; 0.5 where none did.
    - ``n_images``, ``n_labelled``: frames, and points labelled in them.

    Args:
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        threshold: the score from which a peak counts; may be set anew before frames are counted.

    Raises:
        InputError: the radius is no positive number, or the threshold is not in [0, 1].
    """

    totals: Tensor  # frames, their area in pixels, labelled points, and at the threshold found and predicted points

    def __init__(self, match_radius_px: float, threshold: float) -> None:
        super().__init__(match_radius_px, threshold, by_frame=True)
        self._add_sum("totals", 5)

    def update(self, peaks: Sequence[Peaks], frames: Sequence[Frame]) -> None:
        """Count sparsely labelled frames with the peaks found in them, both in image pixels."""
        areas = [frame.size[0] * frame.size[1] for frame in frames]
        counted = self._count(peaks, frames)
        rows = zip(areas, (one.row for one in counted), strict=True)
        counts = [(1, area, row.n_points, row.tp, row.n_predicted) for area, row in rows]
        self._add("totals", np.array(counts, np.int64).reshape(-1, 5).sum(axis=0))

    def compute(self) -> dict[str, Tensor]:
        """All figures over what was counted, on every process."""
        n_images, area_px, n_labelled, n_found, n_predicted = self.totals.tolist()
        found, predicted = self._histograms()
        all_found, all_predicted = at_or_above(found), at_or_above(predicted)
        scores = lee_liu(all_found, all_predicted, n_labelled)
        at_threshold = float(lee_liu(np.array(n_found), np.array(n_predicted), n_labelled))
        candidates = (
            (*best_threshold(scores, predicted), int(all_found[np.argmax(scores)])),
            (at_threshold, self.threshold, n_found),
        )
        highest, threshold, found_then = max(candidates, key=lambda one: one[0])
        recall = recall_beyond_chance(all_found, all_predicted, n_labelled, area_px, self.match_radius_px)
        told = estimated_objects(recall, all_predicted, n_labelled) is not None
        n_objects = scale_by_labels(self._labelled_frames())[1] if told else 0.0
        return self._as_tensors(
            {
                "recall_on_labelled": quotient(n_found, n_labelled),
                "predicted_per_frame": quotient(n_predicted, n_images),
                "lee_liu": highest,
                "lee_liu_threshold": threshold,
                "lee_liu_error": highest * relative_error(found_then, n_labelled),
                "estimated_objects_per_frame": quotient(n_objects, n_images),
                "labelled_share": min(1.0, quotient(n_labelled, n_objects)),
                **hills(found, predicted),
                "n_images": n_images,
                "n_labelled": n_labelled,
            }
        )


def lee_liu(found: Int64, predicted: Int64, n_labelled: int) -> Float64:
    """``recall^2 * labelled / predicted`` of counts of any shape; 0 where nothing is labelled or predicted."""
    return ratio(found.astype(np.float64) ** 2, predicted * float(n_labelled))


def relative_error(found: int, n_labelled: int) -> float:
    """Standard error of the Lee-Liu score over the score, 1 at most: twice that of recall, as of a binomial draw.

    Recall is taken as one label more found and one more missed, so that a few labels, all found, leave some doubt.

    Args:
        found: labels that are found.
        n_labelled: all labels.
    """
    return min(1.0, 2 * ((n_labelled - found + 1) / ((found + 1) * n_labelled)) ** 0.5) if found else 1.0


def hills(found: Int64, predicted: Int64) -> dict[str, float]:
    """What two histograms over score bins say of background and objects; names as in ``SparsePointMetrics``.

    Args:
        found: ``(bins,)``, peaks that found a label.
        predicted: ``(bins,)``, all peaks.
    """
    valley, knee = find_valley(found, predicted) or _NO_VALLEY, find_knee(predicted) or _NO_KNEE
    return {
        "valley_threshold": valley.threshold,
        "valley_top": valley.top,
        "valley_bottom": valley.bottom,
        "valley_depth": valley.depth,
        "labels_lean": valley.lean if valley.n_labels >= LEAST_LABELS else 0.0,
        "knee_threshold": knee.threshold,
        "knee_steepness": knee.steepness,
        "labels_median": _median_score(found),
    }


def _median_score(histogram: Int64) -> float:
    upper = at_or_above(histogram)
    return float(SCORE_EDGES[np.flatnonzero(2 * upper >= upper[0])[-1]]) if upper[0] else NEUTRAL_THRESHOLD
