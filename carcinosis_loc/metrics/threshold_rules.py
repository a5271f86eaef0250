"""Which threshold frames support, and by which rule: from the truth, from labels, or from scores alone."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from carcinosis_loc.metrics.curves import SCORE_EDGES, best_f1, best_threshold
from carcinosis_loc.metrics.labelled_frames import LabelledFrames
from carcinosis_loc.metrics.probability import (
    ScoreScale,
    fitted_scale,
    implied_f1,
    scale_at,
    scale_by_labels,
    scale_through,
)
from carcinosis_loc.metrics.sparse import hills


class Chosen(NamedTuple):
    """A threshold, and how scores read as probabilities.

    Attributes:
        threshold: the score from which a peak counts.
        rule: see ``Calibration``.
        scale: score to probability of being an object.
    """

    threshold: float
    rule: str
    scale: ScoreScale


class Implied(NamedTuple):
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
# Where labels lean, faint objects lie low on their hill, and the threshold is put so far down to the valley's bottom,
# in logit. Who knows that labels are on the conspicuous needs no lean to show it: one near the limit, which falls to
# this side or that by chance, moved the threshold far.
DOWN_IF_LEANING, DOWN_IF_KNOWN = 1 / 2, 1 / 3
# And if it is shallow, from here on: there labels at random have been seen at 8.4, others at 31.
CROWDED = 16.0
# Of frames that are called sparse most objects should be unlabelled. If labels taken at face value say otherwise, they
# are not missing at random: labels on the conspicuous have been seen to give 0.89 to 0.99 (of a network that was not
# taught, all frames taken together), others up to 0.2.
TOO_COMPLETE = 0.6
# Peaks above a valley over the objects that labels imply, from which it is no valley between objects and background:
# dips in the background have been seen at 7.5 to 12; where labels are on the conspicuous and imply too few, valleys at
# up to 3.7.
TOO_MANY = 5.0
# Say of the labels where they and a clear valley both tell; the mean is of logits.
SAY_OF_LABELS = 0.75
# Where scores alone decide: F1 is highest where a peak's probability is half of it (so 0.4 for the F1 of 0.8 or so that
# a clear valley goes with), and few peaks at the top of the objects' hill are false.
AT_THRESHOLD, AT_TOP = 0.4, 0.95


def by_truth(frames: LabelledFrames) -> Chosen | None:
    """The threshold of the best F1 on exhaustive frames; None if nothing was found on them."""
    found, predicted = frames.histograms()
    if not found.any():
        return None
    _, threshold = best_f1(found, predicted, int(frames.n_labelled.sum()))
    return Chosen(threshold, "exhaustive", fitted_scale(found.astype(np.float64), predicted))


def implied(frames: LabelledFrames, start: ScoreScale | None = None) -> Implied:
    """See ``Implied``; arguments as in ``scale_by_labels``."""
    scale, n_objects = scale_by_labels(frames, start)
    _, predicted = frames.histograms()
    _, threshold = best_threshold(implied_f1(scale, predicted, n_objects), predicted)
    return Implied(threshold, scale, float(frames.n_labelled.sum()) / n_objects)


def by_labels_or_scores(
    frames: LabelledFrames, labels: Implied | None, labels_first: bool, at_random: bool | None = None
) -> Chosen | None:
    """What sparsely labelled frames support, by the rules of ``calibrate``; None if nothing.

    Args:
        frames: the frames.
        labels: what their labels imply; None if too few were found to say something.
        labels_first: see ``calibrate``.
        at_random: see ``calibrate``.
    """
    figures = hills(*frames.histograms())
    if at_random is None and labels is not None and _within_background(frames, labels, figures["valley_bottom"]):
        figures |= {"valley_depth": 1.0, "labels_lean": 0.0}
    rule = _rule(figures, labels, labels_first) if at_random is None else _rule_if_known(figures, labels, at_random)
    if rule is None:
        return None
    if rule == "labels" and labels:
        return Chosen(labels.threshold, rule, labels.scale)
    if rule == "knee":
        threshold = figures["knee_threshold"]
        return Chosen(threshold, rule, scale_at(threshold, AT_THRESHOLD, figures["knee_steepness"]))
    threshold, top = _by_valley(figures, at_random)
    if rule == "both" and labels:
        logits = logit(threshold), logit(min(labels.threshold, top))
        threshold = float(expit((1 - SAY_OF_LABELS) * logits[0] + SAY_OF_LABELS * logits[1]))
    return Chosen(threshold, rule, scale_through((threshold, AT_THRESHOLD), (top, AT_TOP)))


def _within_background(frames: LabelledFrames, labels: Implied, valley_bottom: float) -> bool:
    """Whether a valley parts the background from itself: far more peaks lie above it than believable labels imply."""
    above = int(frames.predicted[SCORE_EDGES[frames.bin] >= valley_bottom].sum())
    n_objects = float(frames.n_labelled.sum()) / labels.share
    return labels.share < TOO_COMPLETE and above > TOO_MANY * n_objects


def _by_valley(figures: Mapping[str, float], at_random: bool | None) -> tuple[float, float]:
    """The threshold by the valley, and the score from which nearly all peaks are objects."""
    threshold = figures["valley_threshold"]
    down = DOWN_IF_KNOWN if at_random is False else DOWN_IF_LEANING if figures["labels_lean"] > LEANING else 0.0
    if down:
        threshold = float(expit((1 - down) * logit(threshold) + down * logit(figures["valley_bottom"])))
    return threshold, figures["valley_top"]


def _rule(figures: Mapping[str, float], labels: Implied | None, labels_first: bool) -> str | None:
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


def _rule_if_known(figures: Mapping[str, float], labels: Implied | None, at_random: bool) -> str | None:
    """The rule where it is known how labels were chosen."""
    by_labels = "labels" if labels is not None else None
    by_valley = "valley" if figures["valley_depth"] < 1 else None
    if at_random:
        return by_labels or by_valley
    return by_valley or ("knee" if figures["knee_threshold"] < figures["labels_median"] else by_labels)
