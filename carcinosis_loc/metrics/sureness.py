"""How sure a threshold is: what is chosen on the same frames, drawn anew."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from carcinosis_loc.metrics.labelled_frames import LabelledFrames
from carcinosis_loc.metrics.probability import scale_through
from carcinosis_loc.metrics.threshold_rules import Chosen

# Intervals of 0.2 to 0.8 have been seen where nothing was wrong, and of 4.8 and more where another rule decided on some
# of the draws; there one end or the other was far off. See docs/experiments.md.
WIDE = 2.0
DRAWS = 20
_LEAST_DRAWS, _MOST_PEAKS = 5, 2_000_000
_QUARTERS = (0.25, 0.75)  # probabilities
_LEAST = 1e-6  # scores of 0 and 1 have no logit


class Sureness(NamedTuple):
    """What becomes of a threshold when it is chosen on as many frames, drawn from the same ones with replacement.

    It tells how far the threshold hangs on which frames they were, not whether the rule that chose it holds.

    Attributes:
        low: nine of ten draws gave a threshold from here
        high: to here.
        same_rule: share of the draws on which the same rule decided, in [0, 1].
    """

    low: float
    high: float
    same_rule: float

    @property
    def sure(self) -> bool:
        """Whether the draws agree, within ``WIDE`` in logit."""
        low, high = logit(np.clip([self.low, self.high], _LEAST, 1 - _LEAST))
        return bool(high - low < WIDE)

    def __str__(self) -> str:
        drawn = f"{self.low:.3f} to {self.high:.3f} in nine of ten draws of these frames"
        doubt = f"not sure (the same rule in {self.same_rule:.0%}): mark a few frames in full, see carcloc audit"
        return drawn if self.sure else f"{drawn}, {doubt}"


def chosen_anew(
    rule: str, choose: Callable[[LabelledFrames], Chosen | None], frames: LabelledFrames, draws: int
) -> tuple[Chosen, Sureness] | None:
    """Choose anew on drawn frames (Efron 1979: the bootstrap); the same frames always give the same answer.

    The mean of what was chosen on the draws, taken in logit, is a better threshold than the one chosen on the frames as
    they are, where a frame more or less tips it over: "bagging" (Breiman 1996). With three exhaustive frames it lost
    0.018 of F1 instead of 0.030 (docs/experiments.md). Scores read as probabilities in the same way: those of a quarter
    and of three quarters are means of the draws' own.

    Args:
        rule: that decided on the frames as they are.
        choose: what is chosen on other frames.
        frames: the frames.
        draws: how often, at most: with many peaks (``_MOST_PEAKS`` in all draws) less often, as it takes time and the
            threshold hangs less on single frames.

    Returns:
        What was chosen in the mean, and how sure its threshold is. None if nothing was chosen on any draw, or there is
        one frame only, which is the same in every draw.
    """
    if len(frames.n_labelled) < 2:
        return None
    draws = min(draws, max(_LEAST_DRAWS, _MOST_PEAKS // max(1, int(frames.predicted.sum()))))
    generator = np.random.default_rng(0)
    chosen = [one for one in (choose(frames.drawn(generator)) for _ in range(draws)) if one is not None]
    if not chosen:
        return None
    thresholds = np.array([one.threshold for one in chosen])
    low, high = np.quantile(thresholds, (0.05, 0.95), method="nearest")
    same_rule = sum(one.rule == rule for one in chosen) / draws
    curve = scale_through(*((_mean([one.scale.score_at(p) for one in chosen]), p) for p in _QUARTERS))
    return Chosen(_mean(thresholds), rule, curve), Sureness(float(low), float(high), same_rule)


def _mean(scores: npt.ArrayLike) -> float:
    """The mean in logit."""
    return float(expit(logit(np.clip(scores, _LEAST, 1 - _LEAST)).mean()))
