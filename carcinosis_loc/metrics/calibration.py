"""Which threshold to take, and how a score reads as a probability, from whatever labels there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit
from torch import Tensor

from carcinosis_loc.metrics.curves import SCORE_EDGES, best_threshold
from carcinosis_loc.metrics.labelled_frames import LabelledFrames
from carcinosis_loc.metrics.point_f1 import PointF1
from carcinosis_loc.metrics.probability import ScoreScale, fitted_scale, implied_f1, scale_by_labels, scale_through
from carcinosis_loc.metrics.sparse import SparsePointMetrics


@dataclass(frozen=True)
class Calibration:
    """A threshold, how scores read as probabilities, and where both come from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1].
        rule: "exhaustive" (the best F1 on frames on which everything is labelled), "valley" (between the background's
            scores and the objects'; no label has a say), "labels" (the best F1 that they imply; right if on each frame
            they are missing at random), "both" (between the last two) or "knee" (where the background's scores run
            out; for labels on the conspicuous).
        n_images: frames that it was chosen on.
        n_points: points that are labelled on them.
        scale: score to probability of being an object; by the same rule, and no better than it.
    """

    threshold: float
    rule: str
    n_images: int
    n_points: int
    scale: ScoreScale

    def __str__(self) -> str:
        on = f"{self.n_images} {'exhaustive' if self.rule == 'exhaustive' else 'sparse'} frames"
        how = {
            "exhaustive": f"the best F1 on {on} ({self.n_points} points)",
            "labels": f"the best F1 that {self.n_points} labels on {on} imply, if labels are missing at random",
            "valley": f"by the valley between background and objects in the scores on {on}",
            "both": f"between the valley in the scores and what {self.n_points} labels imply, on {on}",
            "knee": f"where the background's scores run out on {on}, as labels seem to be on the conspicuous alone",
        }
        return f"{self.threshold:.3f}, {how.get(self.rule, self.rule)}"

    def plain(self) -> dict[str, Any]:
        """As values that any reader of a checkpoint knows."""
        return {**vars(self), "scale": list(self.scale)}

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "Calibration":
        """From what ``plain`` gave.

        Raises:
            TypeError, ValueError, KeyError: the entry is no calibration.
        """
        slope, offset = (float(value) for value in entry["scale"])
        return cls(**{**entry, "scale": ScoreScale(slope, offset)})


class _Implied(NamedTuple):
    """What labels imply that are missing at random on each frame: see ``scale_by_labels``.

    Attributes:
        threshold: of the best F1.
        scale: from scores to probabilities.
        share: labels over objects.
    """

    threshold: float
    scale: ScoreScale
    share: float


CLEAR = 0.4  # depth from which a valley is believed
# Labels in the upper half of the peaks above the valley, over those in the lower half. If they are missing at random,
# about 1; false peaks above the valley have been seen to raise it to 3.2, labels by conspicuity to 47.
# Where the valley is clear, it knows more from in between on: labels at random have been seen at 3.2 there, labels on
# the conspicuous, of a network that had been taught, at 4.6.
EVEN, TILTED, LEANING = 2.0, 3.8, 6.0
# And if it is shallow, from here on: there labels at random have been seen at 8.4, others at 31.
CROWDED = 16.0
# Of frames that are called sparse most objects should be unlabelled. If labels taken at face value say otherwise, they
# are not missing at random: labels on the conspicuous have been seen to give 0.89 to 0.99 (of a network that was not
# taught, all frames taken together), others up to 0.2.
TOO_COMPLETE = 0.6
# Say of the labels where they and a clear valley both tell; the mean is of logits.
SAY_OF_LABELS = 0.75
# Where scores alone decide: F1 is highest where a peak's probability is half of it (so 0.4 for the F1 of 0.8 or so that
# a clear valley goes with), and few peaks at the top of the objects' hill, or as high as the labels, are false.
AT_THRESHOLD, AT_TOP = 0.4, 0.95


def calibrate(dense: PointF1, sparse: SparsePointMetrics, labels_first: bool = True) -> Calibration | None:
    """Choose a threshold from what was counted on a validation set; every process must ask.

    1. Exhaustive frames with points decide where there are any.
    2. Else a clear valley of the scores does (``find_valley``), unless the labels spread evenly over what lies above
       it: they are then missing at random, and say more (rule 4). If they crowd on its far side they are on the
       conspicuous: a shallow valley decides too, as what they say of recall is wrong, and by its bottom, as the faint
       objects lie low on the hill. If they lean a little (up to ``TILTED``), both tell: false peaks that score high
       lead the valley's threshold too low, labels on the conspicuous would lead theirs too high. A mean of the two
       logits is taken, in which the labels have three quarters of the say.
    3. Else, if the labels taken at face value say that most objects are labelled, they are on the conspicuous, and the
       knee of the scores decides (``find_knee``) if there is one.
    4. Else the labels decide, by the F1 that they imply (``implied_f1``).
    5. Where no label was found there is nothing to choose by, and the answer is None.

    Scores are put on a scale of probabilities by the truth, by the valley or the knee (a curve through the threshold
    and the top of the objects' hill, or the labels' median), or by the labels (``scale_by_labels``).

    Args:
        dense: the exhaustive frames.
        sparse: the others.
        labels_first: False lets a clear valley decide alone, whatever the labels say, and a shallow one sooner (from
            ``LEANING`` on, else from ``CROWDED``): for those who ask because labels may not be missing at random.
    """
    truth, figures = _plain(dense.compute()), _plain(sparse.compute())
    if truth["n_images"] > 0 and truth["best_f1"] > 0:
        found, predicted = dense.histograms()
        scale = fitted_scale(found.astype(np.float64), predicted)
        counts = int(truth["n_images"]), int(truth["n_points"])
        return Calibration(truth["best_threshold"], "exhaustive", *counts, scale)
    counts = int(figures["n_images"]), int(figures["n_labelled"])
    frames = sparse.labelled_frames()
    labels = _by_labels(frames) if figures["estimated_objects_per_frame"] > 0 else None  # enough found, beyond chance
    rule = _rule(figures, labels, labels_first)
    if rule is None:
        return None
    if rule == "labels" and labels:
        return Calibration(labels.threshold, rule, *counts, labels.scale)
    threshold, top = _by_scores(rule, figures)
    if rule == "both" and labels:
        logits = logit(threshold), logit(min(labels.threshold, top))
        threshold = float(expit((1 - SAY_OF_LABELS) * logits[0] + SAY_OF_LABELS * logits[1]))
    return Calibration(threshold, rule, *counts, scale_through((threshold, AT_THRESHOLD), (top, AT_TOP)))


def _by_scores(rule: str, figures: Mapping[str, float]) -> tuple[float, float]:
    """The threshold by a rule without labels, and the score from which nearly all peaks are objects."""
    if rule == "knee":
        return figures["knee_threshold"], figures["labels_median"]
    leaning = figures["labels_lean"] > LEANING
    return figures["valley_bottom" if leaning else "valley_threshold"], figures["valley_top"]


def _by_labels(frames: LabelledFrames) -> _Implied:
    scale, n_objects = scale_by_labels(frames)
    predicted = np.bincount(frames.bin, frames.predicted, minlength=len(SCORE_EDGES)).astype(np.int64)
    _, threshold = best_threshold(implied_f1(scale, predicted, n_objects), predicted)
    return _Implied(threshold, scale, float(frames.n_labelled.sum()) / n_objects)


def _rule(figures: Mapping[str, float], labels: _Implied | None, labels_first: bool) -> str | None:
    depth, lean = figures["valley_depth"], figures["labels_lean"]
    credible = labels is not None and labels.share < TOO_COMPLETE
    if depth < 1 and lean > (CROWDED if labels_first else LEANING):
        return "valley"
    if depth <= CLEAR:
        if not labels_first or not credible or lean == 0 or lean > TILTED:
            return "valley"
        return "labels" if lean <= EVEN else "both"
    if labels is not None and not credible and figures["knee_threshold"] < figures["labels_median"]:
        return "knee"
    return "labels" if labels is not None else None


def _plain(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
