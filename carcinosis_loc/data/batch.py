"""What the data loader hands to the module."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from carcinosis_loc.data.view import View
from carcinosis_loc.points import Frame, Letterbox
from carcinosis_loc.video import Outcome

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Position:
    """A place in a stream of images and videos, from which reading can go on.

    Attributes:
        item: number of the image or video, from 0.
        after: index of the last frame that was looked at in it; -1 at its start.
        image_id: of the next frame.
    """

    item: int = 0
    after: int = -1
    image_id: int = 1


@dataclass(frozen=True)
class Milestone:
    """Comes with the last batch of a chunk of a stream: what lies before it need not be read again.

    Attributes:
        position: where the next chunk starts.
        ended: the videos that were read to their ends since the milestone before.
    """

    position: Position
    ended: tuple[Outcome, ...] = ()


@dataclass
class Batch:
    """Frames of one batch: tensors in network pixels for the network, frames in image pixels for the rest.

    Attributes:
        image: ``(B, 3, H, W)``, uint8, RGB; the network normalises it itself.
        valid: ``(B, 1, H, W)``, bool; False on padding and on ignore regions: neither loss nor peaks there.
        points: ``(B, N, 2)``, float32, network pixels; rows of frames with fewer points are filled with zeros.
        labelled: ``(B, N)``, bool; True where ``points`` holds a labelled point.
        exhaustive: ``(B,)``, bool; True where every object of the frame is labelled.
        frames: the B frames; points in image pixels.
        letterboxes: the B maps between image and network pixels.
        views: the B windows of the letterboxed frames that ``image`` shows; empty where nothing was augmented.
        dummy: True for a batch that only keeps a process busy that has no image: it counts nowhere.
        pixels: the B frames as they were read, ``(h, w, 3)``, RGB, on the host; empty where they can be read again.
        milestone: in a stream, what its chunk ends with.
        offset: ``(B, 1, 1, 1)`` or ``(B, 1, H, W)``, float32, in training: what the loss adds to the logits; None is 0.
    """

    image: Tensor
    valid: Tensor
    points: Tensor
    labelled: Tensor
    exhaustive: Tensor
    frames: list[Frame]
    letterboxes: list[Letterbox]
    views: list[View]
    dummy: bool = False
    pixels: list[Rgb] = field(default_factory=list)
    milestone: Milestone | None = None
    offset: Tensor | None = None

    def __len__(self) -> int:
        return len(self.image)

    def on_image(self) -> Tensor:
        """Pixels that are no padding, ``(B, 1, H, W)``, bool; ignore regions are among them. Evaluation only."""
        inside = torch.zeros_like(self.valid)
        for frame, box in zip(inside, self.letterboxes, strict=True):
            (left, top), (height, width) = box.offset, box.resized
            frame[:, top : top + height, left : left + width] = not self.dummy
        return inside

    def to(self, device: Any, non_blocking: bool = False) -> "Batch":
        """The same batch with its tensors on ``device``; Lightning calls this."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self, device: Any = None) -> "Batch":
        """The same batch in page-locked memory; the data loader calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, move: Any) -> "Batch":
        tensors = {k: move(v) for k, v in vars(self).items() if isinstance(v, torch.Tensor)}
        return replace(self, **tensors)
