"""From points to heatmaps and back: ``GaussianEncoder`` and ``PeakDecoder``, batched and on the device."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.points import Float32, Peaks, Size, image_to_map, map_to_image


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
    return F.max_pool2d(valid.float(), stride, stride, ceil_mode=True) > 0


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
        """Decode a batch with one copy to the host.

        Args:
            logits: ``(B, 1, h, w)``, any floating type.
            stride: network pixels a cell.
            valid: ``(B, 1, h, w)``, bool, cells where a peak may be; None allows all.

        Returns:
            B ``Peaks`` in network pixels.
        """
        logits = logits.float()
        ranked = maxima(logits, self.floor, valid)
        best, cells = self._ranked_cells(ranked)
        place = map_to_image(refine(logits.flatten(1), cells, _size(logits), F.logsigmoid), stride)
        # cummin: vectorised sigmoids may err by the last bit and so disagree with the logits' order
        score = best.sigmoid().cummin(dim=1).values
        table = torch.cat([place, score.unsqueeze(-1), (best > -math.inf).unsqueeze(-1).float()], dim=-1)
        return [self._thin_out(rows[rows[:, 3] > 0]) for rows in table.cpu().numpy()]

    def _ranked_cells(self, ranked: Tensor) -> tuple[Tensor, Tensor]:
        """The best ``K`` of each row and their cells, ``(B, K)``; -inf where there are fewer.

        Ranked are the cells with a maximum in any row: few, and so it takes a tenth of the time of ranking all. K is
        filled up to what it would be then, since vectorised functions may give another last bit at another length.
        """
        somewhere = (ranked > -math.inf).any(0).nonzero()[:, 0]
        most = min(self.top_k, ranked.shape[1])
        best, order = _best_first(ranked[:, somewhere], min(most, len(somewhere)))
        missing = (0, most - best.shape[1])
        return F.pad(best, missing, value=-math.inf), F.pad(somewhere[order], missing)

    @property
    def floor(self) -> float:
        """``score_floor`` as a logit."""
        return -math.inf if self.score_floor <= 0 else _logit(self.score_floor)

    def _thin_out(self, rows: Float32) -> Peaks:
        """Keep the better of two peaks within ``nms_radius_px``, greedily from the best."""
        keep = np.ones(len(rows), dtype=bool)
        if len(rows) > 1 and self.nms_radius_px > 0:
            pairs = cKDTree(rows[:, :2]).query_pairs(self.nms_radius_px, output_type="ndarray")
            for better, worse in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
                keep[worse] &= not keep[better]
        return Peaks(rows[keep, :2], rows[keep, 2])


def maxima(logits: Tensor, floor: float, valid: Tensor | None = None) -> Tensor:
    """The logits of local maxima, -inf elsewhere: ``(B, 1, h, w)`` -> ``(B, h * w)``; see ``PeakDecoder``.

    Here and in ``refine`` nothing depends on a value or a size, so that an exported graph can hold them.
    """
    candidate = (_highest_of_nine(logits) == logits) & (logits >= floor)
    if valid is not None:
        candidate = candidate & valid
    earlier = F.pad(candidate, (1, 1, 1, 0))
    rows, width = _size(logits)
    before = earlier[..., 1:, :width] | earlier[..., :rows, :width]
    before = before | earlier[..., :rows, 1 : width + 1] | earlier[..., :rows, 2:]
    return logits.masked_fill(~(candidate & ~before), -math.inf).flatten(1)


def _highest_of_nine(logits: Tensor) -> Tensor:
    """The highest value of each 3x3 neighbourhood: what max_pool2d gives, in a fraction of its time on a CPU."""
    rows, width = _size(logits)
    padded = F.pad(logits, (1, 1, 1, 1), value=-math.inf)
    beside = padded[..., :width].maximum(padded[..., 1 : width + 1]).maximum(padded[..., 2:])
    return beside[..., :rows, :].maximum(beside[..., 1 : rows + 1, :]).maximum(beside[..., 2:, :])


def _best_first(ranked: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest ``count`` of each row and where they are; of equal ones the first in reading order, on any device."""
    best, cells = ranked.topk(count, dim=1)
    last = best[:, -1:]
    cut = (ranked == last).sum(1, keepdim=True) > (best == last).sum(1, keepdim=True)
    if (cut & (last > -math.inf)).any():  # some of the equal ones must go: rare, and ten times as slow
        best, cells = (part[:, :count] for part in ranked.sort(dim=1, descending=True, stable=True))
        return best, cells
    cells, order = cells.sort(dim=1)
    best, order = best.gather(1, order).sort(dim=1, descending=True, stable=True)
    return best, cells.gather(1, order)


def refine(logits: Tensor, cells: Tensor, size: Size, log_p: Callable[[Tensor], Tensor]) -> Tensor:
    """Sub-cell place ``(B, K, 2)`` of the summit near each cell, map cells; one-sided at borders.

    Args:
        logits: ``(B, h * w)``.
        cells: ``(B, K)``, flat indices.
        size: ``(h, w)``.
        log_p: logits to logarithms of probabilities.
    """
    height, width = size
    row = cells // width
    column = cells - row * width
    x = _vertex(logits, log_p, cells - column, column, 1, width)
    y = _vertex(logits, log_p, column, row, width, height)
    return torch.stack([x, y], dim=-1)


def _vertex(
    logits: Tensor, log_p: Callable[[Tensor], Tensor], base: Tensor, at: Tensor, step: int, length: int
) -> Tensor:
    """Vertex, along one axis, of the parabola through three neighbours of ``at``, within half a cell of it."""
    middle = at.clamp(min=1, max=length - 2)
    near = [(middle + i).clamp(min=0, max=length - 1) for i in (-1, 0, 1)]
    left, centre, right = (log_p(logits.gather(1, base + cell * step)) for cell in near)
    curvature = left - 2 * centre + right
    bent = (curvature < 0) & (torch.full_like(at, length) >= 3)  # two cells make no parabola
    offset = 0.5 * (left - right) / torch.where(bent, curvature, -torch.ones_like(curvature))
    vertex = torch.where(bent, middle + offset, at.float())
    return torch.minimum(torch.maximum(vertex, at - 0.5), at + 0.5)


def _size(logits: Tensor) -> Size:
    return logits.shape[-2], logits.shape[-1]


def _logit(p: float) -> float:
    return math.inf if p >= 1 else math.log(p / (1 - p))
