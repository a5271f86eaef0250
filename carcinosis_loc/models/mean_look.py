"""An image looked at in several ways, and the mean of what the network says."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carcinosis_loc.points import map_size


class MeanLook(nn.Module, ABC):
    """A network whose logits are the mean over several looks of another one at the same image.

    Images whose sides are no multiples of the network's are continued by their borders first, so that the cells of all
    looks lie upon one another.

    Args:
        net: the other network: ``HeatmapNet``, ``TiledNet`` or another of these.

    Shape:
        As ``HeatmapNet``.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.stride: int = net.stride  # type: ignore[assignment]
        self.multiple: int = net.multiple  # type: ignore[assignment]

    @property
    def mean(self) -> Tensor:
        """See ``HeatmapNet``."""
        return self.net.mean  # type: ignore[return-value]

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch, see the class."""
        height, width = image.shape[-2:]
        rows, columns = map_size((height, width), self.stride)
        beyond = (0, -width % self.multiple, 0, -height % self.multiple)
        exact = image if image.is_floating_point() else image.float()
        padded = F.pad(exact, beyond, mode="replicate") if any(beyond) else image
        return torch.stack(self.looks(padded)).mean(0)[..., :rows, :columns]

    @abstractmethod
    def looks(self, image: Tensor) -> list[Tensor]:
        """Float32 logits of each look, all of one shape.

        Args:
            image: a batch whose sides are multiples of the network's.
        """
