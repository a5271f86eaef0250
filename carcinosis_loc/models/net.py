"""The network: a backbone that finds features and a 1x1 head that makes one heatmap of them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carcinosis_loc.models.weights import load_weights
from carcinosis_loc.points import map_size


class Backbone(Protocol):
    """What ``HeatmapNet`` asks of its backbone.

    Attributes:
        stride: network pixels a cell of its features.
        multiple: sides of the image must be multiples of this.
        out_channels: channels of its features.
    """

    stride: int
    multiple: int
    out_channels: int

    def __call__(self, image: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, out_channels, H / stride, W / stride)``."""


class HeatmapNet(nn.Module):
    """Image in, heatmap logits out.

    Args:
        backbone: an ``nn.Module`` that is a ``Backbone``, ``HRNet`` for one.
        prior: probability that an untrained network gives every cell; sets the head's bias.
        mean: per channel (RGB), on the scale 0 to 255; ImageNet's by default.
        std: likewise.
        init_checkpoint: weights to start from: mmpose's, ImageNet's or our own; see ``load_weights``.

    Shape:
        ``(B, 3, H, W)``, uint8 or float, RGB, 0 to 255, any size -> logits ``(B, 1, ceil(H/s), ceil(W/s))``.

    Raises:
        ValueError: ``prior`` outside (0, 1).
        InputError: ``init_checkpoint`` does not fit or cannot be read safely.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        prior: float = 0.01,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_checkpoint: str | None = None,
    ) -> None:
        super().__init__()
        if not 0 < prior < 1:
            raise ValueError(f"prior must lie in (0, 1), got {prior}")
        self.backbone = backbone
        traits = cast(Backbone, backbone)
        self.stride, self.multiple = traits.stride, traits.multiple
        self.head = nn.Conv2d(traits.out_channels, 1, kernel_size=1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(cast(Tensor, self.head.bias), math.log(prior / (1 - prior)))
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, 3, 1, 1), persistent=False)
        self.init_report = load_weights(self, Path(init_checkpoint)) if init_checkpoint else None

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch, see the class."""
        height, width = image.shape[-2:]
        rows, columns = map_size((height, width), self.stride)
        normalised = (image.to(self.mean.dtype) - self.mean) / self.std
        padded = F.pad(normalised, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        features = self.backbone(padded.contiguous(memory_format=torch.channels_last))
        return self._logits(features)[..., :rows, :columns]

    def _logits(self, features: Tensor) -> Tensor:
        """Under autocast too in the head's own precision: rounded logits have plateaus, and no summit between cells."""
        kind = features.device.type
        if not torch.is_autocast_enabled(kind):
            return cast(Tensor, self.head(features))
        with torch.autocast(kind, enabled=False):
            return cast(Tensor, self.head(features.to(self.head.weight.dtype)))
