"""One image looked at enlarged: by several factors, and the mean of what the network says."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.models.mean_look import MeanLook
from carcinosis_loc.models.net import HeatmapNet
from carcinosis_loc.models.tiles import TiledNet

_FINER = 4


class ManyScales(MeanLook):
    """A network that sees each image enlarged by each of these factors; its logits are the mean of what it says.

    Who labels what stands out labels the large, and the small is what a network that learnt from such labels misses
    first. Enlarged, it looks like what was labelled. Each factor costs its square of a pass.
    Averaging over scales: multi-scale testing as in OverFeat (Sermanet et al. 2014, arXiv 1312.6229) and since.

    Enlarged sides are rounded to whole cells. A summit of an enlarged map is as wide in its own cells as any, and so
    narrower in the plain ones: it is the highest within each of them that counts, wherever in the cell it lies. As many
    images go through together as have no more pixels, enlarged, than the batch.

    Args:
        net: the network.
        scales: factors; 1 is the image as it is.

    Shape:
        As ``HeatmapNet``.
    """

    def __init__(self, net: HeatmapNet | TiledNet, scales: Sequence[float]) -> None:
        super().__init__(net)
        self.scales = tuple(scales)

    def looks(self, image: Tensor) -> list[Tensor]:
        """See ``MeanLook``."""
        return [self._seen(image, scale) for scale in self.scales]

    def _seen(self, image: Tensor, scale: float) -> Tensor:
        cells = [side // self.stride for side in image.shape[-2:]]
        larger = [max(1, round(n * scale)) for n in cells]
        if larger == cells:
            return self.net(image).float()  # type: ignore[no-any-return]
        size = [n * self.stride for n in larger]
        parts = torch.split(image.float(), max(1, int(len(image) / scale**2)))
        return torch.cat([_highest(self.net(_enlarged(part, size)).float(), cells) for part in parts])


def _enlarged(image: Tensor, size: list[int]) -> Tensor:
    shrinks = size[0] < image.shape[-2]
    return F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=shrinks).clamp_(0, 255)


def _highest(logits: Tensor, cells: list[int]) -> Tensor:
    """The highest logit within each of so many cells, to a quarter of a cell."""
    fine = F.interpolate(logits, [_FINER * n for n in cells], mode="bilinear", align_corners=False)
    return F.max_pool2d(fine, _FINER)
