"""Which threshold to take, and how a score reads as a probability, from whatever labels there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit
from torch import Tensor

from carcinosis_loc.metrics.curves import best_threshold
from carcinosis_loc.metrics.point_f1 import PointF1
from carcinosis_loc.metrics.probability import ScoreScale, fitted_scale, implied_f1, scale_by_labels, scale_through
from carcinosis_loc.metrics.sparse import SparsePointMetrics


@dataclass(frozen=True)
class Calibration:
    """A threshold, how scores read as probabilities, and where both come from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1].
        rule: "exhaustive" (the best F1 on frames on which everything is labelled), "valley" (between the background's
            scores and the objects'; no label has a say), "labels" (the best F1 that they imply; right if they are
            missing at random), "both" (between the last two) or "knee" (where the background's scores run out; for
            labels on the conspicuous).
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


CLEAR = 0.4  # depth from which a valley is believed
# Labels in the upper half of the peaks above the valley, over those in the lower half. If they are missing at random,
# about 1; false peaks above the valley have been seen to raise it to 3.2, labels by conspicuity to 47.
EVEN, LEANING = 2.0, 6.0
# Of frames that are called sparse most objects should be unlabelled. If labels taken at face value say otherwise, they
# are not missing at random: labels on the conspicuous have been seen to give 0.89 to 0.99, others up to 0.51.
TOO_COMPLETE = 0.6
# Labels at random have been seen to claim up to 0.25; where five of each frame are labelled, however crowded, 0.5.
MODEST = 0.35
# Where scores alone decide: F1 is highest where a peak's probability is half of it (so 0.4 for the F1 of 0.8 or so that
# a clear valley goes with), and few peaks at the top of the objects' hill, or as high as the labels, are false.
AT_THRESHOLD, AT_TOP = 0.4, 0.95


def calibrate(dense: PointF1, sparse: SparsePointMetrics) -> Calibration | None:
    """Choose a threshold from what was counted on a validation set; every process must ask.

    1. Exhaustive frames with points decide where there are any.
    2. Else a clear valley of the scores does (``find_valley``), unless the labels spread evenly over what lies above
       it: they are then missing at random, and say more (rule 4). If they crowd on its far side they are on the
       conspicuous: a shallow valley decides too, as what they say of recall is wrong, and by its bottom, as the faint
       objects lie low on the hill. If they lean a little, and claim to be a modest share of the objects, both tell:
       false peaks that score high lead the valley's threshold too low, labels on the conspicuous would lead theirs too
       high, and the mean of the two logits is taken.
    3. Else, if the labels taken at face value say that most objects are labelled, they are on the conspicuous, and the
       knee of the scores decides (``find_knee``) if there is one.
    4. Else the labels decide, by the F1 that they imply (``implied_f1``).
    5. Where no label was found there is nothing to choose by, and the answer is None.

    Scores are put on a scale of probabilities by the truth, by the valley or the knee (a curve through the threshold
    and the top of the objects' hill, or the labels' median), or by the labels (``scale_by_labels``).
    """
    truth, figures = _plain(dense.compute()), _plain(sparse.compute())
    if truth["n_images"] > 0 and truth["best_f1"] > 0:
        found, predicted = dense.histograms()
        scale = fitted_scale(found.astype(np.float64), predicted)
        counts = int(truth["n_images"]), int(truth["n_points"])
        return Calibration(truth["best_threshold"], "exhaustive", *counts, scale)
    counts = int(figures["n_images"]), int(figures["n_labelled"])
    rule = _rule(figures)
    if rule is None:
        return None
    if rule == "labels":
        threshold, scale = _by_labels(sparse, figures["n_labelled"])
        return Calibration(threshold, rule, *counts, scale)
    threshold, top = _by_scores(rule, figures)
    if rule == "both":
        implied = min(_by_labels(sparse, figures["n_labelled"])[0], top)
        threshold = float(expit((logit(threshold) + logit(implied)) / 2))
    return Calibration(threshold, rule, *counts, scale_through((threshold, AT_THRESHOLD), (top, AT_TOP)))


def _by_scores(rule: str, figures: Mapping[str, float]) -> tuple[float, float]:
    """The threshold by a rule without labels, and the score from which nearly all peaks are objects."""
    if rule == "knee":
        return figures["knee_threshold"], figures["labels_median"]
    leaning = figures["labels_lean"] > LEANING
    return figures["valley_bottom" if leaning else "valley_threshold"], figures["valley_top"]


def _by_labels(sparse: SparsePointMetrics, n_labelled: float) -> tuple[float, ScoreScale]:
    """The threshold of the best F1 that labels imply if they are missing at random, and the curve behind it."""
    found, predicted = sparse.histograms()
    scale, share = scale_by_labels(found, predicted)
    _, threshold = best_threshold(implied_f1(scale, predicted, n_labelled / share), predicted)
    return threshold, scale


def _rule(figures: Mapping[str, float]) -> str | None:
    depth, lean, share = figures["valley_depth"], figures["labels_lean"], figures["labelled_share"]
    labels_tell = figures["estimated_objects_per_frame"] > 0  # enough were found, beyond chance
    credible = labels_tell and share < TOO_COMPLETE
    if (depth <= CLEAR and not (credible and 0 < lean <= EVEN)) or (depth < 1 and lean > LEANING):
        return "both" if labels_tell and share < MODEST and 0 < lean <= LEANING else "valley"
    if labels_tell and share >= TOO_COMPLETE and figures["knee_threshold"] < figures["labels_median"]:
        return "knee"
    return "labels" if labels_tell else None


def _plain(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
