"""Frames with their labels and scores apart, for what pooled histograms cannot tell."""

from typing import NamedTuple

import numpy as np

from carcinosis_loc.metrics.arrays import Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES


class LabelledFrames(NamedTuple):
    """Sparse histograms of the peaks of each frame, one row for every score bin of a frame that is not empty.

    Attributes:
        frame: ``(K,)``, number of the frame, rising.
        bin: ``(K,)``, score bin.
        predicted: ``(K,)``, peaks of that frame in that bin.
        found: ``(K,)``, those of them that found a label.
        n_labelled: ``(frames,)``, labels on each frame.
    """

    frame: Int64
    bin: Int64
    predicted: Int64
    found: Int64
    n_labelled: Int64

    @classmethod
    def read(cls, sizes: Int64, rows: Int64) -> "LabelledFrames":
        """From what was gathered, in an order that does not depend on who gathered which frame.

        Args:
            sizes: ``(frames, 2)``: how many rows the frame has, and how many labels.
            rows: ``(K, 3)``: bin, predicted and found, frame after frame.
        """
        parts = np.split(rows, np.cumsum(sizes[:, 0])[:-1]) if len(sizes) else []
        order = sorted(range(len(sizes)), key=lambda place: (int(sizes[place, 1]), parts[place].tobytes()))
        rows = np.concatenate([np.zeros((0, 3), np.int64), *(parts[place] for place in order)])
        frame = np.repeat(np.arange(len(sizes)), sizes[order, 0])
        return cls(frame, rows[:, 0], rows[:, 1], rows[:, 2], sizes[order, 1])

    def histograms(self) -> tuple[Int64, Int64]:
        """Peaks that found a label and all peaks, by score bin, over all frames: two of ``(bins,)``."""
        both = (np.bincount(self.bin, counts, len(SCORE_EDGES)) for counts in (self.found, self.predicted))
        found, predicted = (counts.astype(np.int64) for counts in both)
        return found, predicted

    def drawn(self, generator: np.random.Generator) -> "LabelledFrames":
        """As many frames, drawn from these with replacement."""
        sizes = np.bincount(self.frame, minlength=len(self.n_labelled))
        chosen = np.sort(generator.integers(len(sizes), size=len(sizes)))
        first = np.cumsum(sizes) - sizes
        rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(sizes[one]) + first[one] for one in chosen)])
        frame = np.repeat(np.arange(len(chosen)), sizes[chosen])
        return LabelledFrames(frame, self.bin[rows], self.predicted[rows], self.found[rows], self.n_labelled[chosen])


def all_as_one(found: Int64, predicted: Int64, n_labelled: int) -> LabelledFrames:
    """All frames taken for one, from histograms over score bins, ``(bins,)``."""
    rows = rows_of(found, predicted)
    return LabelledFrames.read(np.array([(len(rows), n_labelled)]), rows)


def rows_of(found: Int64, predicted: Int64) -> Int64:
    """The rows ``(K, 3)`` of one frame, from its histograms ``(bins,)``."""
    bins = np.flatnonzero(predicted)
    return np.stack([bins, predicted[bins], found[bins]], axis=1)
