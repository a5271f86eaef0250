"""From points to heatmaps and back: ``GaussianEncoder`` and ``PeakDecoder``, batched and on the device."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from scipy.special import expit
from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.points import Float32, Peaks, Size, image_to_map, map_to_image

Float64 = npt.NDArray[np.float64]


class GaussianEncoder:
    """Renders one Gaussian a point: ``H(u) = max_i exp(-|u - x_i|^2 / (2 sigma^2))``, the target of the losses.

    The cost grows with points times window, not with points times pixels.

    Args:
        sigma_px: standard deviation, network pixels.
        combine: where Gaussians overlap, ``"max"`` keeps every point's summit at its height (our default);
            ``"sum"`` is the paper's wording ("summing to form the target heatmap"), cut at 1.
        truncate: how many sigma the window reaches to each side.

    Raises:
        ValueError: ``sigma_px`` outside (0, 1000] or ``truncate`` outside (0, 10].
    """

    def __init__(self, sigma_px: float = 6.0, combine: Literal["max", "sum"] = "max", truncate: float = 3.5) -> None:
        if not 0 < sigma_px <= 1000 or not 0 < truncate <= 10:
            raise ValueError(f"sigma_px must lie in (0, 1000] and truncate in (0, 10], got {sigma_px} and {truncate}")
        self.sigma_px = sigma_px
        self.combine = combine
        self.truncate = truncate

    def __call__(self, points: Tensor, labelled: Tensor, size: Size, stride: int) -> Tensor:
        """Render the targets of a batch.

        Args:
            points: ``(B, N, 2)``, network pixels.
            labelled: ``(B, N)``, bool; False rows are skipped.
            size: ``(height, width)`` of the heatmap, cells.
            stride: network pixels a cell.

        Returns:
            ``(B, 1, height, width)``, float32, in [0, 1].
        """
        (height, width), batch = size, len(labelled)
        sigma = self.sigma_px / stride
        reach = math.ceil(self.truncate * sigma)
        xy = image_to_map(points.float(), stride)
        offsets = torch.arange(-reach, reach + 1, device=points.device)
        cells = xy.round().long().unsqueeze(-1) + offsets  # (B, N, 2, window)
        profile = torch.exp(-((cells - xy.unsqueeze(-1)) ** 2) / (2 * sigma**2))
        limit = torch.tensor([width, height], device=points.device).view(1, 1, 2, 1)
        inside = (cells >= 0) & (cells < limit) & labelled[..., None, None]
        profile = profile * inside
        cells = cells.clamp(min=0).minimum(limit - 1)
        values = profile[:, :, 1, :, None] * profile[:, :, 0, None, :]
        frame = torch.arange(batch, device=points.device).view(batch, 1, 1, 1)
        index = (frame * height + cells[:, :, 1, :, None]) * width + cells[:, :, 0, None, :]
        target = torch.zeros(batch * height * width, device=points.device)
        if self.combine == "max":
            target.scatter_reduce_(0, index.flatten(), values.flatten(), "amax")
        else:
            target.index_add_(0, index.flatten(), values.flatten()).clamp_(max=1)
        return target.view(batch, 1, height, width)


def cells_of(valid: Tensor, stride: int) -> Tensor:
    """Bring a pixel mask ``(B, 1, H, W)`` to the heatmap's cells: True where any pixel of the cell is."""
    return highest_of(valid.float(), stride) > 0


def highest_of(values: Tensor, stride: int) -> Tensor:
    """Bring numbers of pixels ``(B, 1, H, W)`` to the heatmap's cells: each the highest of its pixels."""
    return F.max_pool2d(values, stride, stride, ceil_mode=True)


class PeakDecoder:
    """Finds the peaks of a heatmap, best first; the threshold is for those who use them.

    A peak is a cell whose logit is the highest of its 3x3 neighbourhood (of adjacent equal cells the first in
    reading order counts) and whose probability reaches ``score_floor``. Its place is refined by a parabola through
    ``log p``, exact for a Gaussian; its score is the probability at the cell. Of two peaks within ``nms_radius_px``
    the better one stays.

    Args:
        threshold: score from which a peak counts as a detection; None takes the calibrated one of the checkpoint.
        score_floor: probability below which nothing is kept at all; the curves see what lies above it.
        nms_radius_px: network pixels; two peaks nearer than this are one.
        top_k: most peaks kept in a frame; let it exceed the densest frame.

    Raises:
        ValueError: a probability outside [0, 1], a negative radius, ``top_k`` below 1.
    """

    def __init__(
        self,
        threshold: float | None = None,
        score_floor: float = 0.001,
        nms_radius_px: float = 4.0,
        top_k: int = 300,
    ) -> None:
        for name, value in (("threshold", threshold), ("score_floor", score_floor)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} must be a probability in [0, 1], got {value}")
        if not nms_radius_px >= 0 or not math.isfinite(nms_radius_px):
            raise ValueError(f"nms_radius_px must be 0 or more, got {nms_radius_px}")
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        self.threshold = threshold
        self.score_floor = score_floor
        self.nms_radius_px = nms_radius_px
        self.top_k = top_k

    @torch.no_grad()
    def __call__(self, logits: Tensor, stride: int, valid: Tensor | None = None) -> list[Peaks]:
        """Decode a batch.

        The maxima are found where the logits are; they and their neighbours are ranked and refined on the host, in
        float64, so that equal logits give equal peaks on any device and in any batch.

        Args:
            logits: ``(B, 1, h, w)``, any floating type.
            stride: network pixels a cell.
            valid: ``(B, 1, h, w)``, bool, cells where a peak may be; None allows all.

        Returns:
            B ``Peaks`` in network pixels.
        """
        table = _neighbours(logits.float(), maxima(logits.float(), self.floor, valid)).cpu().numpy()
        ends = np.searchsorted(table[:, 0], np.arange(len(logits)), side="right")
        return [self._peaks(rows, _size(logits), stride) for rows in np.split(table, ends[:-1])]

    def _peaks(self, table: Float32, size: Size, stride: int) -> Peaks:
        """The peaks of one frame out of its rows of ``_neighbours``, which are in reading order."""
        best = table[np.argsort(-table[:, 3], kind="stable")[: self.top_k]].astype(np.float64)
        place = map_to_image(refine(best[:, 1:3], best[:, 4:].reshape(-1, 2, 3), size), stride).astype(np.float32)
        # Rounding could make a score higher than that of a higher logit by the last bit.
        score = np.minimum.accumulate(expit(best[:, 3]).astype(np.float32))
        return self._thin_out(place, score)

    @property
    def floor(self) -> float:
        """``score_floor`` as a logit."""
        return -math.inf if self.score_floor <= 0 else _logit(self.score_floor)

    def _thin_out(self, xy: Float32, scores: Float32) -> Peaks:
        """Keep the better of two peaks within ``nms_radius_px``, greedily from the best."""
        keep = np.ones(len(xy), dtype=bool)
        if len(xy) > 1 and self.nms_radius_px > 0:
            pairs = cKDTree(xy).query_pairs(self.nms_radius_px, output_type="ndarray")
            for better, worse in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
                keep[worse] &= not keep[better]
        return Peaks(xy[keep], scores[keep])


def maxima(logits: Tensor, floor: float, valid: Tensor | None = None) -> Tensor:
    """True at local maxima, ``(B, 1, h, w)``; see ``PeakDecoder``."""
    candidate = (_highest_of_nine(logits) == logits) & (logits >= floor)
    if valid is not None:
        candidate = candidate & valid
    earlier = F.pad(candidate, (1, 1, 1, 0))
    rows, width = _size(logits)
    before = earlier[..., 1:, :width] | earlier[..., :rows, :width]
    before = before | earlier[..., :rows, 1 : width + 1] | earlier[..., :rows, 2:]
    return candidate & ~before


def _highest_of_nine(logits: Tensor) -> Tensor:
    """The highest value of each 3x3 neighbourhood: what max_pool2d gives, in a fraction of its time on a CPU."""
    rows, width = _size(logits)
    padded = F.pad(logits, (1, 1, 1, 1), value=-math.inf)
    beside = padded[..., :width].maximum(padded[..., 1 : width + 1]).maximum(padded[..., 2:])
    return beside[..., :rows, :].maximum(beside[..., 1 : rows + 1, :]).maximum(beside[..., 2:, :])


def _neighbours(logits: Tensor, chosen: Tensor) -> Tensor:
    """What the host needs of each chosen cell, ``(N, 10)``, in reading order, frame by frame.

    Columns: frame, column and row of the cell; its logit; the logits of three cells along x, and of three along y:
    the cell and its neighbours, one-sided at borders.
    """
    height, width = _size(logits)
    frame, _, row, column = chosen.nonzero().unbind(1)
    base = frame * (height * width)
    step = torch.arange(-1, 2, device=logits.device)
    along_x = (column.clamp(min=1).clamp(max=width - 2)[:, None] + step).clamp(0, width - 1)
    along_y = (row.clamp(min=1).clamp(max=height - 2)[:, None] + step).clamp(0, height - 1)
    own = base + row * width
    cells = torch.cat([(own + column)[:, None], own[:, None] + along_x, (base + column)[:, None] + along_y * width], 1)
    return torch.cat([torch.stack([frame, column, row], 1), logits.flatten()[cells]], 1)


def refine(at: Float64, near: Float64, size: Size) -> Float64:
    """Place of the summit near each cell, ``(K, 2)``, x and y in map cells: vertex of a parabola along each axis.

    Args:
        at: ``(K, 2)``, column and row of the cells.
        near: ``(K, 2, 3)``, logits of three cells along each axis; the middle one is the cell, or at a border the one
            beside it.
        size: ``(h, w)``.

    Returns:
        Places at most half a cell from ``at``; where three cells make no summit, ``at`` itself.
    """
    length = np.array(size[::-1])
    left, centre, right = np.moveaxis(-np.logaddexp(0, -near), -1, 0)  # logarithms of probabilities
    curvature = left - 2 * centre + right
    bent = (curvature < 0) & (length >= 3)
    offset = 0.5 * (left - right) / np.where(bent, curvature, -1)
    vertex = np.where(bent, np.clip(at, 1, np.maximum(length - 2, 1)) + offset, at)
    return np.clip(vertex, at - 0.5, at + 0.5)


def _size(logits: Tensor) -> Size:
    return logits.shape[-2], logits.shape[-1]


def _logit(p: float) -> float:
    return math.inf if p >= 1 else math.log(p / (1 - p))
