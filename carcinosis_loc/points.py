"""Points, frames, and the only code that maps coordinates from one pixel space to another.

A point is ``(x, y)``, float32, in pixels: pixel centres lie at integers, x points right and y down. A size is
``(height, width)``. *Image pixels* are those of the original image; *network pixels* those of what the network
sees; *map cells* those of a heatmap at some stride. docs/conventions.md says the same with pictures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Array = TypeVar("Array")
Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Points:
    """Points of one image.

    Attributes:
        xy: shape ``(N, 2)``, float32, finite; N may be 0.

    Raises:
        ValueError: another shape, or a coordinate that is NaN or infinite.
    """

    xy: Float32

    def __post_init__(self) -> None:
        xy = np.asarray(self.xy, dtype=np.float32)
        if xy.size == 0:
            xy = xy.reshape(0, 2)
        if xy.ndim != 2 or xy.shape[1] != 2:
            raise ValueError(f"points must have shape (N, 2), got {xy.shape}")
        if not np.isfinite(xy).all():
            raise ValueError("points must be finite, got NaN or infinity")
        object.__setattr__(self, "xy", xy)

    def __len__(self) -> int:
        return len(self.xy)

    @classmethod
    def none(cls) -> "Points":
        """No points at all."""
        return cls(np.zeros((0, 2), np.float32))


@dataclass(frozen=True, eq=False)
class Peaks(Points):
    """What the decoder found in one image, best first.

    Attributes:
        xy: shape ``(N, 2)``, see ``Points``.
        scores: shape ``(N,)``, float32, probabilities in [0, 1], falling.

    Raises:
        ValueError: as for ``Points``; or scores of another length, outside [0, 1] or not falling.
    """

    scores: Float32

    def __post_init__(self) -> None:
        super().__post_init__()
        scores = np.asarray(self.scores, dtype=np.float32).reshape(-1)
        if len(scores) != len(self.xy):
            raise ValueError(f"{len(self.xy)} peaks but {len(scores)} scores")
        if len(scores) and not (scores[-1] >= 0 and scores[0] <= 1 and (np.diff(scores) <= 0).all()):
            raise ValueError("scores must be probabilities, sorted from high to low")
        object.__setattr__(self, "scores", scores)

    def above(self, threshold: float) -> "Peaks":
        """The peaks whose score is at or above ``threshold``."""
        n = int(np.count_nonzero(self.scores >= threshold))
        return Peaks(self.xy[:n], self.scores[:n])

    @classmethod
    def none(cls) -> "Peaks":
        """No peaks at all."""
        return cls(np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Frame:
    """One image with what is known of it. No pixels are held.

    Attributes:
        image_id: the id in the label file.
        file_name: as in the label file, relative to the image folder.
        path: where the image lies.
        size: ``(height, width)`` in image pixels, after EXIF orientation.
        points: the labelled points, image pixels.
        ignore: polygons ``(M, 2)`` in image pixels; what lies inside is neither right nor wrong.
        exhaustive: True if every object is labelled, False if some are, None if the file does not say.
        group: patient, slide or video; splits and bootstraps go by it.
        extra: other fields of the label file's image entry, for tables only.
    """

    image_id: int
    file_name: str
    path: Path
    size: Size
    points: Points = field(default_factory=Points.none)
    ignore: tuple[Float32, ...] = ()
    exhaustive: bool | None = None
    group: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def rescale(xy: Array, factor: Any) -> Array:
    """Map points to a grid that is ``factor`` times as fine: ``(xy + 0.5) * factor - 0.5``.

    Works on NumPy arrays and tensors alike, ``(..., 2)``; ``factor`` is a number or an ``(x, y)`` pair that
    broadcasts. The half pixels are there because centres, not corners, lie at integers.
    """
    return (xy + 0.5) * factor - 0.5  # type: ignore[operator,no-any-return]


def image_to_map(xy: Array, stride: int) -> Array:
    """Network pixels to map cells of a heatmap at ``stride``."""
    return rescale(xy, 1.0 / stride)


def map_to_image(xy: Array, stride: int) -> Array:
    """Map cells of a heatmap at ``stride`` to network pixels."""
    return rescale(xy, float(stride))


def map_size(size: Size, stride: int) -> Size:
    """Size of the heatmap at ``stride`` for an image of ``size``: rounded up."""
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)


@dataclass(frozen=True)
class Letterbox:
    """How an image was resized (aspect kept) and centred on a canvas; maps points there and back exactly.

    Attributes:
        source: size of the image, image pixels.
        resized: size that the image has on the canvas, network pixels.
        canvas: size of the canvas, network pixels.
        offset: ``(x, y)`` of the resized image's upper left pixel on the canvas.
    """

    source: Size
    resized: Size
    canvas: Size
    offset: tuple[int, int] = (0, 0)

    @classmethod
    def fit(cls, source: Size, canvas: Size | None) -> "Letterbox":
        """Fit an image of size ``source`` into ``canvas``; None keeps the native size (the identity)."""
        if canvas is None:
            return cls(source, source, source)
        scale = min(canvas[0] / source[0], canvas[1] / source[1])
        height = min(canvas[0], max(1, round(source[0] * scale)))
        width = min(canvas[1], max(1, round(source[1] * scale)))
        return cls(source, (height, width), canvas, ((canvas[1] - width) // 2, (canvas[0] - height) // 2))

    def to_network(self, xy: Float32) -> Float32:
        """Image pixels to network pixels, ``(N, 2)``."""
        factor = np.array([self.resized[1] / self.source[1], self.resized[0] / self.source[0]])
        moved = rescale(np.asarray(xy, np.float64), factor) + np.array(self.offset, np.float64)
        return moved.astype(np.float32)

    def to_image(self, xy: Float32) -> Float32:
        """Network pixels to image pixels, ``(N, 2)``."""
        factor = np.array([self.source[1] / self.resized[1], self.source[0] / self.resized[0]])
        back = rescale(np.asarray(xy, np.float64) - np.array(self.offset, np.float64), factor)
        return back.astype(np.float32)

    def peaks_to_image(self, peaks: Peaks) -> Peaks:
        """Peaks in network pixels to image pixels, on the image: a cell at the edge may reach beyond it."""
        edge = np.array([self.source[1], self.source[0]], np.float32) - np.float32(0.5)
        return Peaks(np.clip(self.to_image(peaks.xy), np.float32(-0.5), edge), peaks.scores)
