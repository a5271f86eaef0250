"""One image looked at from several sides: mirrored and turned, and the mean of what the network says."""

from collections.abc import Iterator
from itertools import product

from torch import Tensor

from carcinosis_loc.models.mean_look import MeanLook
from carcinosis_loc.models.net import HeatmapNet
from carcinosis_loc.models.scales import ManyScales
from carcinosis_loc.models.tiles import TiledNet


class ManyViews(MeanLook):
    """A network that sees each image from several sides; its logits are the mean of what it says of each.

    2 are the image and its mirror image, as mmpose's ``flip_test``; 4 the image mirrored along either side and along
    both; 8 these and their transposed ones, so turned by quarters, too. Each costs another pass.
    Averaging over transformed images: Krizhevsky et al. 2012; of heatmaps, Newell et al. 2016 (arXiv 1603.06937).

    Args:
        net: the network.
        views: 1, 2, 4 or 8.

    Shape:
        As ``HeatmapNet``.
    """

    def __init__(self, net: HeatmapNet | TiledNet | ManyScales, views: int) -> None:
        super().__init__(net)
        self.views = views

    def looks(self, image: Tensor) -> list[Tensor]:
        """See ``MeanLook``."""
        return [_undone(self.net(_seen(image, *side)).float(), *side) for side in _sides(self.views)]


def _sides(views: int) -> Iterator[tuple[bool, list[int]]]:
    """Whether each view is transposed, and along which axes it is mirrored before that."""
    for transposed, upside_down, mirrored in product((False, True), repeat=3):
        if (views == 8 or not transposed) and (views >= 4 or not upside_down) and (views >= 2 or not mirrored):
            yield transposed, [axis for axis, wanted in ((-2, upside_down), (-1, mirrored)) if wanted]


def _seen(image: Tensor, transposed: bool, axes: list[int]) -> Tensor:
    mirrored = image.flip(axes) if axes else image
    return mirrored.transpose(-2, -1) if transposed else mirrored


def _undone(logits: Tensor, transposed: bool, axes: list[int]) -> Tensor:
    upright = logits.transpose(-2, -1) if transposed else logits
    return upright.flip(axes) if axes else upright
