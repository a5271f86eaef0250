"""Which threshold to take, and how a score reads as a probability, from whatever labels there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.metrics.labelled_frames import LabelledFrames, all_as_one
from carcinosis_loc.metrics.point_f1 import PointF1
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.metrics.sparse import SparsePointMetrics
from carcinosis_loc.metrics.sureness import DRAWS, Sureness, chosen_anew
from carcinosis_loc.metrics.threshold_rules import Chosen, by_labels_or_scores, by_truth, implied


@dataclass(frozen=True)
class Calibration:
    """A threshold, how scores read as probabilities, and where both come from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1]; the mean over the draws where ``sureness`` was asked.
        rule: what decided on the frames as they are: "exhaustive" (the best F1 on frames on which everything is
            labelled), "valley" (between the background's scores and the objects'; no label has a say), "labels" (the
            best F1 that they imply; right if on each frame they are missing at random), "both" (between the last two)
            or "knee" (where the background's scores run out; for labels on the conspicuous).
        n_images: frames that it was chosen on.
        n_points: points that are labelled on them.
        scale: score to probability of being an object; by the same rule, and no better than it.
        sureness: what the same frames gave when they were drawn anew; None where it was not asked.
        look: how the network looked at these frames; other scores come of another look.
    """

    threshold: float
    rule: str
    n_images: int
    n_points: int
    scale: ScoreScale
    sureness: Sureness | None = None
    look: Look = ONCE

    def __str__(self) -> str:
        on = f"{self.n_images} {'exhaustive' if self.rule == 'exhaustive' else 'sparse'} frames"
        how = {
            "exhaustive": f"the best F1 on {on} ({self.n_points} points)",
            "labels": f"the best F1 that {self.n_points} labels on {on} imply, if labels are missing at random",
            "valley": f"by the valley between background and objects in the scores on {on}",
            "both": f"between the valley in the scores and what {self.n_points} labels imply, on {on}",
            "knee": f"where the background's scores run out on {on}, as labels seem to be on the conspicuous alone",
        }
        told = f"{self.threshold:.3f}, {how.get(self.rule, self.rule)} (rule: {self.rule})"
        told = told if self.look == ONCE else f"{told}, seen {self.look}"
        return told if self.sureness is None else f"{told}; {self.sureness}"

    def plain(self) -> dict[str, Any]:
        """As values that any reader of a checkpoint knows."""
        sureness = None if self.sureness is None else list(self.sureness)
        plain = {**vars(self), "scale": list(self.scale), "sureness": sureness}
        del plain["look"]
        # Versions that do not know these look once.
        views = {"views": self.look.views} if self.look.views != ONCE.views else {}
        scales = {"scales": list(self.look.scales)} if self.look.scales != ONCE.scales else {}
        return {**plain, **views, **scales}

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "Calibration":
        """From what ``plain`` gave.

        Raises:
            TypeError, ValueError, KeyError: the entry is no calibration.
        """
        slope, offset = (float(value) for value in entry["scale"])
        drawn = entry.get("sureness")  # thresholds of older checkpoints have none
        sureness = None if drawn is None else Sureness(*(float(value) for value in drawn))
        look = Look(entry.get("views", ONCE.views), entry.get("scales", ONCE.scales))
        plain = {name: value for name, value in entry.items() if name not in ("views", "scales")}
        return cls(**{**plain, "scale": ScoreScale(slope, offset), "sureness": sureness, "look": look})


def calibrate(
    dense: PointF1,
    sparse: SparsePointMetrics,
    labels_first: bool = True,
    draws: int = DRAWS,
    labels_at_random: bool | None = None,
) -> Calibration | None:
    """Choose a threshold from what was counted on a validation set; every process must ask.

    1. Exhaustive frames with points decide where there are any.
    2. Else a clear valley of the scores does (``find_valley``), unless the labels spread evenly over what lies above
       it: they are then missing at random, and say more (rule 4). If they crowd on its far side they are on the
       conspicuous: a shallow valley decides too, as what they say of recall is wrong, and halfway down to its bottom,
       as the faint objects lie low on the hill. If they lean a little (up to ``TILTED``), both tell: false peaks that
       score high lead the valley's threshold too low, labels on the conspicuous would lead theirs too high. A mean of
       the two logits is taken, in which the labels have three quarters of the say.
    3. Else, if the labels taken at face value say that most objects are labelled, they are on the conspicuous, and the
       knee of the scores decides (``find_knee``) if there is one.
    4. Else the labels decide, by the F1 that they imply (``implied_f1``).
    5. Where no label was found there is nothing to choose by, and the answer is None.

    Scores are put on a scale of probabilities by the truth, by the valley (a curve through the threshold and the top of
    the objects' hill), by the knee (as steep as the background's fall), or by the labels (``scale_by_labels``).

    All of this is done again on drawn frames, and the mean of threshold and scale taken (``chosen_anew``).

    Args:
        dense: the exhaustive frames; where it was not made with ``by_frame`` it is not told how sure they are.
        sparse: the others.
        labels_first: False lets a clear valley decide alone, whatever the labels say, and a shallow one sooner (from
            ``LEANING`` on, else from ``CROWDED``): for those who ask because labels may not be missing at random.
        draws: of the frames; 0 chooses on the frames as they are, and does not tell how sure that is.
        labels_at_random: what is known of the labels: True goes by them alone (rule 4), and by the scores only where
            too few are found; False by the scores alone as long as they tell something, a third of the way down to the
            bottom of a valley however labels lean; None finds out, by 2 to 4.
    """
    truth, figures = _plain(dense.compute()), _plain(sparse.compute())
    if truth["n_images"] > 0 and truth["best_f1"] > 0:
        exhaustive = (
            dense.labelled_frames() if dense.by_frame else all_as_one(*dense.histograms(), int(truth["n_points"]))
        )
        counts = int(truth["n_images"]), int(truth["n_points"])
        return _calibration(by_truth(exhaustive), by_truth, exhaustive, counts, draws)
    frames, counts = sparse.labelled_frames(), (int(figures["n_images"]), int(figures["n_labelled"]))
    labels = implied(frames) if figures["estimated_objects_per_frame"] > 0 else None  # enough found, beyond chance

    def again(drawn: LabelledFrames) -> Chosen | None:
        enough = labels is not None and drawn.found.any()
        labels_drawn = implied(drawn, labels.scale) if labels and enough else None
        return by_labels_or_scores(drawn, labels_drawn, labels_first, labels_at_random)

    chosen = by_labels_or_scores(frames, labels, labels_first, labels_at_random)
    return _calibration(chosen, again, frames, counts, draws)


def _calibration(
    chosen: Chosen | None,
    again: Callable[[LabelledFrames], Chosen | None],
    frames: LabelledFrames,
    counts: tuple[int, int],
    draws: int,
) -> Calibration | None:
    if chosen is None:
        return None
    anew = chosen_anew(chosen.rule, again, frames, draws) if draws else None
    mean, sureness = anew or (chosen, None)
    return Calibration(mean.threshold, chosen.rule, *counts, mean.scale, sureness)


def _plain(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
