"""Frames to audit, from nothing but the probabilities of the peaks found on them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


class Worth(NamedTuple):
    """What a threshold chosen on a few audited frames would cost, in F1, against the best threshold of all frames.

    Attributes:
        n_frames: audited frames.
        mean: expected shortfall.
        worst: the shortfall that one draw of twenty exceeds.
    """

    n_frames: int
    mean: float
    worst: float


def choose_frames(probabilities: Sequence[Float64], n_frames: int) -> list[int]:
    """Indices of ``n_frames`` frames, in the order of the frames.

    Frames are lined up by the number of objects expected on them; of ``n`` equal shares of all objects, the frame in
    the middle of each is taken. So crowded frames, which hold more to choose a threshold by, come more often, and both
    ends are there.

    Args:
        probabilities: of each frame's peaks, ``(peaks,)`` in [0, 1].
        n_frames: how many; at most all.
    """
    expected = np.array([p.sum() for p in probabilities]) + 1e-6
    order = np.argsort(expected, kind="stable")
    middle = np.cumsum(expected[order]) - expected[order] / 2
    chosen: list[int] = []
    for share in (2 * np.arange(n_frames) + 1) / (2 * n_frames):
        left = [place for place in range(len(order)) if place not in chosen]
        chosen.append(min(left, key=lambda place: abs(middle[place] - share * expected.sum())))
    return sorted(int(order[place]) for place in chosen)


def worth_of(probabilities: Sequence[Float64], chosen: Sequence[int], n_draws: int = 200, seed: int = 0) -> Worth:
    """Expected cost of a threshold chosen on the ``chosen`` frames, **if the probabilities are right**.

    The truth is drawn ``n_draws`` times, each peak an object with its probability. Each time the threshold of the best
    F1 on the chosen frames is compared with that on all. Objects at which there is no peak are beyond it.
    """
    everything = np.concatenate([np.zeros(0), *probabilities])
    frame = np.repeat(np.arange(len(probabilities)), [len(p) for p in probabilities])
    order = np.argsort(-everything, kind="stable")
    everything, audited = everything[order], np.isin(frame[order], chosen)
    ends = np.flatnonzero(np.diff(everything, append=-1.0))  # a threshold does not part equal scores
    random = np.random.default_rng(seed)
    shortfalls = np.zeros(n_draws)
    for draw in range(n_draws):
        true = random.random(len(everything)) < everything
        if true.any():
            f1 = _f1(true, np.ones_like(true))[ends]
            on_audited = _f1(true & audited, audited)[ends]
            best = np.flatnonzero(on_audited == on_audited.max())  # between two audited peaks all are alike
            shortfalls[draw] = f1.max() - f1[best[len(best) // 2]]
    return Worth(len(chosen), float(shortfalls.mean()), float(np.quantile(shortfalls, 0.95)))


def _f1(true: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_]) -> Float64:
    """F1 if all the peaks up to each are taken, of the counted ones."""
    f1: Float64 = 2 * np.cumsum(true) / np.maximum(np.cumsum(counted) + true.sum(), 1)
    return f1
