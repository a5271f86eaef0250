"""Which threshold to take, from whatever labels there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Calibration:
    """A threshold and where it comes from.

    Attributes:
        threshold: the score from which a peak counts, in [0, 1].
        rule: "exhaustive" (the best F1 on frames on which everything is labelled) or "sparse" (the best F1 that
            sparse labels let one estimate, if they are missing at random).
        n_images: frames that it was chosen on.
        n_points: points that are labelled on them.
    """

    threshold: float
    rule: str
    n_images: int
    n_points: int

    def __str__(self) -> str:
        if self.rule == "exhaustive":
            return f"{self.threshold:.3f}, the best F1 on {self.n_images} exhaustive frames ({self.n_points} points)"
        return (
            f"{self.threshold:.3f}, the best estimated F1 on {self.n_images} sparse frames ({self.n_points} labels), "
            "if labels are missing at random"
        )


def calibrate(dense: Mapping[str, Tensor], sparse: Mapping[str, Tensor]) -> Calibration | None:
    """Choose a threshold from what ``PointF1`` and ``SparsePointMetrics`` found on a validation set.

    Exhaustive frames with points decide where there are any. Else sparse labels do, if enough of them were found. Else
    there is nothing to choose by, and the answer is None.
    """
    if dense["n_images"] > 0 and dense["best_f1"] > 0:
        return Calibration(float(dense["best_threshold"]), "exhaustive", int(dense["n_images"]), int(dense["n_points"]))
    if sparse["estimated_f1"] > 0:
        return Calibration(
            float(sparse["estimated_threshold"]), "sparse", int(sparse["n_images"]), int(sparse["n_labelled"])
        )
    return None
