"""Images too large for one pass of the network: tiles that overlap, and one heatmap made of their cores.

What outgrows the memory is the network's features (some hundred times the pixels), not the image and not the heatmap.
So the logits of all tiles are put together first and decoded as one map: there are no seams to find doubles at.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from carcinosis_loc.models.net import HeatmapNet
from carcinosis_loc.points import Size, map_size

Span = tuple[int, int]


class Tile(NamedTuple):
    """A part of an image, as spans ``(first, one past the last)`` of pixels.

    Attributes:
        rows: what the network sees.
        columns: likewise.
        core_rows: what is taken of it; the cores of an image's tiles cover every pixel exactly once.
        core_columns: likewise.
    """

    rows: Span
    columns: Span
    core_rows: Span
    core_columns: Span


def tiles(size: Size, tile_px: int, margin_px: int, multiple: int) -> Iterator[Tile]:
    """The tiles of an image, in reading order.

    Windows and cores begin at multiples of ``multiple``, so that each coarser grid of the network lies as it would
    on the whole image.

    Args:
        size: of the image.
        tile_px: longest side of a window, pixels; rounded down to a multiple.
        margin_px: least distance from a core to the end of its window, but for the image's own borders; rounded up.
        multiple: see ``Backbone``.

    Raises:
        ValueError: the window holds no core beside its two margins, or there is a negative margin.
    """
    margin = -(-margin_px // multiple) * multiple
    core = tile_px // multiple * multiple - 2 * margin
    if margin_px < 0 or core < multiple:
        raise ValueError(
            f"a tile of {tile_px} px holds nothing beside two margins of {margin_px} px (both in steps of "
            f"{multiple} px): enlarge tile_px or lower margin_px"
        )
    for core_rows in _spans(size[0], core, multiple):
        for core_columns in _spans(size[1], core, multiple):
            yield Tile(
                _widened(core_rows, margin, size[0]), _widened(core_columns, margin, size[1]), core_rows, core_columns
            )


def _spans(length: int, longest: int, multiple: int) -> list[Span]:
    """``length`` cut into as few spans as possible, of about one length."""
    count = -(-length // longest)
    step = -(-length // (count * multiple)) * multiple
    return [(first, min(first + step, length)) for first in range(0, length, step)]


def _widened(span: Span, margin: int, length: int) -> Span:
    return max(0, span[0] - margin), min(length, span[1] + margin)


def logits_in_tiles(net: Callable[[Tensor], Tensor], image: Tensor, stride: int, cuts: Iterable[Tile]) -> Tensor:
    """The heatmap of a batch, put together from the cores of its tiles.

    Args:
        net: gives the logits of a window, ``(1, 3, h, w)`` -> ``(1, 1, ceil(h/s), ceil(w/s))``.
        image: ``(B, 3, H, W)``.
        stride: of the logits, pixels a cell.
        cuts: the ``tiles`` of the image.
    """
    logits = torch.empty((len(image), 1, *map_size((image.shape[-2], image.shape[-1]), stride)), device=image.device)
    for tile in cuts:
        window = image[..., slice(*tile.rows), slice(*tile.columns)]
        core = ..., _cells(tile.core_rows, 0, stride), _cells(tile.core_columns, 0, stride)
        part = ..., _cells(tile.core_rows, tile.rows[0], stride), _cells(tile.core_columns, tile.columns[0], stride)
        for one, map_of_one in zip(window, logits, strict=True):
            map_of_one[core] = net(one[None])[0][part].float()
    return logits


def _cells(span: Span, origin: int, stride: int) -> slice:
    first, last = (map_size((end - origin, 1), stride)[0] for end in span)
    return slice(first, last)


_CPU_PIXELS = 2**18  # one frame of 640 x 360: with more at once their features leave the cache, which costs a fifth


def _at_once(image: Tensor) -> int:
    """How many images of a batch go through the network together."""
    return max(1, _CPU_PIXELS // image[0, 0].numel()) if image.device.type == "cpu" else len(image)


class TiledNet(nn.Module):
    """A ``HeatmapNet`` that sees an image with a side above ``tile_px`` in tiles, one after the other.

    On a CPU it sees a batch of smaller images in parts too: large batches are slower there.

    A cell farther from its window's end than the network looks gets the very logit it would get from the whole image;
    docs/speed.md says how much the rest differs.

    Args:
        net: the network.
        tile_px: longest side of what it sees at once, network pixels.
        margin_px: how much of it to each side is context alone, network pixels.

    Raises:
        ValueError: see ``tiles``.
    """

    def __init__(self, net: HeatmapNet, tile_px: int = 2048, margin_px: int = 256) -> None:
        super().__init__()
        next(tiles((1, 1), tile_px, margin_px, net.multiple))
        self.net = net
        self.stride, self.multiple = net.stride, net.multiple
        self.tile_px, self.margin_px = tile_px, margin_px

    @property
    def mean(self) -> Tensor:
        """See ``HeatmapNet``."""
        return self.net.mean

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch, see ``HeatmapNet``."""
        size = image.shape[-2], image.shape[-1]
        if max(size) <= self.tile_px:
            parts = torch.split(image, _at_once(image))
            return self.net(image) if len(parts) == 1 else torch.cat([self.net(part) for part in parts])
        return logits_in_tiles(self.net, image, self.stride, tiles(size, self.tile_px, self.margin_px, self.multiple))
