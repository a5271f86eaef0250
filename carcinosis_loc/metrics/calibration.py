"""Which threshold to take, from whatever labels there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Calibration:
    """A threshold and where it comes from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1].
        rule: "exhaustive" (the best F1 on frames on which everything is labelled), "valley" (between the background's
            scores and the objects'; no label has a say) or "labels" (the best Lee-Liu score; right if labels are
            missing at random).
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
            "labels": f"the best Lee-Liu score on {on} ({self.n_points} labels), if labels are missing at random",
            "valley": f"by the valley between background and objects in the scores on {on}",
        }
        return f"{self.threshold:.3f}, {how.get(self.rule, self.rule)}"


CLEAR = 0.4  # depth from which a valley is believed, whatever the labels say
# Labels in the upper half of the peaks above the valley, over those in the lower half: if they are missing at random,
# about 1; false peaks above the valley have been seen to raise it to 2.4, labels by conspicuity to 47.
LEANING = 6.0


def calibrate(dense: Mapping[str, Tensor], sparse: Mapping[str, Tensor]) -> Calibration | None:
    """Choose a threshold from what ``PointF1`` and ``SparsePointMetrics`` found on a validation set.

    1. Exhaustive frames with points decide where there are any.
    2. Else a clear valley of the scores does (``find_valley``). So does a shallow one if the labels crowd on its far
       side: they are then not missing at random, and what they say of recall is wrong.
    3. Else the labels decide, by the Lee-Liu score.
    4. Where no label was found there is nothing to choose by, and the answer is None.
    """
    if dense["n_images"] > 0 and dense["best_f1"] > 0:
        return Calibration(float(dense["best_threshold"]), "exhaustive", int(dense["n_images"]), int(dense["n_points"]))
    counts = int(sparse["n_images"]), int(sparse["n_labelled"])
    depth = float(sparse["valley_depth"])
    if depth <= CLEAR or (depth < 1 and sparse["labels_lean"] > LEANING):
        return Calibration(float(sparse["valley_threshold"]), "valley", *counts)
    if sparse["estimated_objects_per_frame"] > 0:  # enough labels were found, beyond chance
        return Calibration(float(sparse["lee_liu_threshold"]), "labels", *counts)
    return None
