"""Which threshold to take, from whatever labels there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Calibration:
    """A threshold and where it comes from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1].
        rule: "exhaustive" (the best F1 on frames on which everything is labelled), "labels" (the best F1 that sparse
            labels let one estimate, if they are missing at random) or "valley" (between the background's scores and
            the objects'; no label has a say).
        n_images: frames that it was chosen on.
        n_points: points that are labelled on them.
    """

    threshold: float
    rule: str
    n_images: int
    n_points: int

    def __str__(self) -> str:
        on = f"{self.n_images} {'exhaustive' if self.rule == 'exhaustive' else 'sparse'} frames"
        how = {
            "exhaustive": f"the best F1 on {on} ({self.n_points} points)",
            "labels": f"the best estimated F1 on {on} ({self.n_points} labels), if labels are missing at random",
            "valley": f"the valley of the scores on {on}; labels follow conspicuity, or are too few to choose by",
        }
        return f"{self.threshold:.3f}, {how.get(self.rule, self.rule)}"


# Labels in the upper half of the peaks above the valley, over those in the lower half: if they are missing at random,
# about 1; false peaks above the valley have been seen to raise it to 2.4, labels by conspicuity to 47.
LEANING = 6.0


def calibrate(dense: Mapping[str, Tensor], sparse: Mapping[str, Tensor]) -> Calibration | None:
    """Choose a threshold from what ``PointF1`` and ``SparsePointMetrics`` found on a validation set.

    1. Exhaustive frames with points decide where there are any.
    2. Else, if the scores have a clear valley and the labels crowd on the far side of it (or are too few), labels are
       not missing at random, and what they say of recall is wrong: the valley decides.
    3. Else the labels decide, if enough of them were found.
    4. Else there is nothing to choose by, and the answer is None.
    """
    if dense["n_images"] > 0 and dense["best_f1"] > 0:
        return Calibration(float(dense["best_threshold"]), "exhaustive", int(dense["n_images"]), int(dense["n_points"]))
    counts = int(sparse["n_images"]), int(sparse["n_labelled"])
    told = bool(sparse["estimated_f1"] > 0)
    if sparse["valley_depth"] < 1 and (sparse["labels_lean"] > LEANING or not told):
        return Calibration(float(sparse["valley_threshold"]), "valley", *counts)
    return Calibration(float(sparse["estimated_threshold"]), "labels", *counts) if told else None
