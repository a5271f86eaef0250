"""What the point metrics share: the threshold in use, and states that are integers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics.arrays import Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, score_histogram
from carcinosis_loc.metrics.labelled_frames import LabelledFrames, rows_of
from carcinosis_loc.metrics.per_image import ImageRow, curve_steps, per_image
from carcinosis_loc.points import Frame, Peaks


class CountedFrame(NamedTuple):
    """What one frame adds: its figures at the threshold, and its histograms over score bins, ``(bins,)``."""

    row: ImageRow
    found: Int64
    predicted: Int64


class PointMetric(Metric):
    """A metric of predicted points at a threshold and over all thresholds.

    States are int64 tensors that are added up, over updates and over processes, or gathered and put into an order of
    their own. So the figures do not depend on how frames are shared out, on the order, or on a process that has none.

    Args:
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        threshold: the score from which a peak counts.
        by_frame: keep each frame's scores apart too, for ``labelled_frames``; 12 bytes a peak.

    Raises:
        InputError: the radius is no positive number, or the threshold is not in [0, 1].
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    found: Tensor
    predicted: Tensor
    frame_sizes: list[Tensor]  # see ``LabelledFrames.read``, as the next; one tensor where processes were synced
    frame_rows: list[Tensor]

    def __init__(self, match_radius_px: float, threshold: float, by_frame: bool) -> None:
        super().__init__()
        self.match_radius_px = checked_radius_px("match_radius_px", match_radius_px)
        self._threshold = _checked_threshold(threshold)
        # Histograms over score bins: peaks that enlarge the matching, and peaks that count.
        self._add_sum("found", len(SCORE_EDGES))
        self._add_sum("predicted", len(SCORE_EDGES))
        self.by_frame = by_frame
        if by_frame:
            self.add_state("frame_sizes", [], dist_reduce_fx="cat")
            self.add_state("frame_rows", [], dist_reduce_fx="cat")

    @property
    def threshold(self) -> float:
        """The score from which a peak counts.

        Raises:
            RuntimeError: it is changed after frames were counted with another one; ``reset()`` first.
        """
        return self._threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        threshold = _checked_threshold(threshold)
        if self.update_called and threshold != self._threshold:
            raise RuntimeError("frames were counted with another threshold; call reset() before you change it")
        self._threshold = threshold

    def _add_sum(self, name: str, *size: int) -> None:
        self.add_state(name, torch.zeros(size, dtype=torch.int64), dist_reduce_fx="sum")

    def _add(self, name: str, amount: Int64) -> None:
        # Not in place: a state that was reset inside inference mode could not be changed outside it.
        state: Tensor = getattr(self, name)
        setattr(self, name, state + torch.from_numpy(amount).to(state.device))

    def _count(self, peaks: Sequence[Peaks], frames: Sequence[Frame]) -> list[CountedFrame]:
        """Add the frames to the histograms; return what each of them adds."""
        added = []
        for peaks_of_frame, frame in zip(peaks, frames, strict=True):
            enlarging, counted = curve_steps(peaks_of_frame, frame, self.match_radius_px)
            found = score_histogram(peaks_of_frame.scores, enlarging)
            predicted = score_histogram(peaks_of_frame.scores, counted)
            row = per_image(peaks_of_frame, frame, self.match_radius_px, self.threshold)
            added.append(CountedFrame(row, found, predicted))
        nothing = np.zeros(len(SCORE_EDGES), np.int64)
        self._add("found", sum((one.found for one in added), nothing))
        self._add("predicted", sum((one.predicted for one in added), nothing))
        if self.by_frame:
            rows = [rows_of(one.found, one.predicted) for one in added]
            sizes = [(len(rows), one.row.n_points) for rows, one in zip(rows, added, strict=True)]
            self._keep(np.array(sizes, np.int64).reshape(-1, 2), np.concatenate([np.zeros((0, 3), np.int64), *rows]))
        return added

    def _keep(self, sizes: Int64, rows: Int64) -> None:
        for state, counts in ((self.frame_sizes, sizes), (self.frame_rows, rows)):
            state.append(torch.from_numpy(counts.astype(np.int32)).to(self.device))  # a row is a peak: there are many

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Torchmetrics'; from a process that has seen nothing it would gather floats without rows."""
        if self.by_frame and not self._is_synced and not self.frame_sizes:
            self._keep(np.zeros((0, 2), np.int64), np.zeros((0, 3), np.int64))
        super().sync(*args, **kwargs)

    def labelled_frames(self) -> LabelledFrames:
        """Each frame's points and scores, over all processes; all must ask.

        Raises:
            RuntimeError: they were not kept apart (``by_frame``).
        """
        if not self.by_frame:
            raise RuntimeError("frames were not kept apart; make the metric with by_frame=True")
        with self.sync_context():
            return self._labelled_frames()

    def _labelled_frames(self) -> LabelledFrames:
        gathered = (self.frame_sizes, np.zeros((0, 2), np.int64)), (self.frame_rows, np.zeros((0, 3), np.int64))
        both = (dim_zero_cat(state).cpu().numpy() if len(state) else none for state, none in gathered)
        sizes, rows = (counts.astype(np.int64) for counts in both)
        return LabelledFrames.read(sizes, rows)

    def histograms(self) -> tuple[Int64, Int64]:
        """Peaks that enlarge the matching and peaks that count, by score bin, over all processes; all must ask."""
        with self.sync_context():
            return self._histograms()

    def _histograms(self) -> tuple[Int64, Int64]:
        return self.found.cpu().numpy(), self.predicted.cpu().numpy()

    def _as_tensors(self, values: Mapping[str, float]) -> dict[str, Tensor]:
        # Apple's GPUs know no float64.
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        return {name: torch.tensor(value, dtype=dtype, device=self.device) for name, value in values.items()}


def checked_radius_px(name: str, radius_px: float) -> float:
    """``radius_px`` as a number, which must be finite and above 0."""
    if not (math.isfinite(radius_px) and radius_px > 0):
        raise InputError(f"{name}: a radius must be a positive number of image pixels, not {radius_px}")
    return float(radius_px)


def _checked_threshold(threshold: float) -> float:
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold: must lie in [0, 1], not {threshold}")
    return float(threshold)
