"""The one geometric transform of training: mirror, quarter turn, scale and crop in a single resampling.

albumentations' own flips, resizes and crops treat keypoints by several conventions, some half a pixel off. Here
pixels and points go through one exact map, in which pixel centres lie at integers.
"""

import math
from dataclasses import dataclass
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.data.coverage import PADDING
from carcinosis_loc.points import Size, rescale

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """A window onto a mirrored, turned and scaled frame.

    Attributes:
        source: size of the frame.
        transpose: swap x and y first.
        mirror_x: then mirror left and right.
        mirror_y: then mirror up and down. The three together reach all eight orientations.
        scale: then enlarge by this factor.
        shift: then ``(x, y)`` of the window's upper left pixel, in pixels of the enlarged frame.
        size: size of the window.
    """

    source: Size
    transpose: bool
    mirror_x: bool
    mirror_y: bool
    scale: float
    shift: tuple[int, int]
    size: Size

    def to_window(self, xy: npt.ArrayLike) -> Float64:
        """Frame pixels to window pixels, ``(N, 2)``."""
        xy = np.asarray(xy, np.float64)
        turned = self._mirrored(xy[:, ::-1] if self.transpose else xy)
        return np.asarray(rescale(turned, self.scale) - np.array(self.shift), np.float64)

    def to_frame(self, xy: Float64) -> Float64:
        """Window pixels to frame pixels, ``(N, 2)``."""
        turned = rescale(np.asarray(xy, np.float64) + np.array(self.shift), 1 / self.scale)
        mirrored = self._mirrored(turned)
        return mirrored[:, ::-1] if self.transpose else mirrored

    def _mirrored(self, xy: Float64) -> Float64:
        height, width = self.source[::-1] if self.transpose else self.source
        sign = np.array([-1 if self.mirror_x else 1, -1 if self.mirror_y else 1])
        last = np.array([width - 1 if self.mirror_x else 0, height - 1 if self.mirror_y else 0])
        return last + sign * xy

    def sample(self, image: npt.NDArray[np.uint8], *, nearest: bool) -> npt.NDArray[np.uint8]:
        """The window's pixels; ``nearest`` is for maps of labels, which have ``PADDING`` outside the frame."""
        origin, right, down = self.to_frame(np.array([[0, 0], [1, 0], [0, 1]], np.float64))
        sigma_px = 0.0 if nearest else 0.5 * math.sqrt(max(0.0, self.scale**-2 - 1))
        (x0, y0), (x1, y1) = self._source_box(margin=2 + math.ceil(4 * sigma_px))
        part = image[y0:y1, x0:x1]
        if sigma_px > 0.2:  # shrinking: take away what the coarser grid cannot hold
            part = cv2.GaussianBlur(part, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
        affine = np.column_stack([right - origin, down - origin, origin - (x0, y0)])
        return np.asarray(
            cv2.warpAffine(
                part,
                affine,
                self.size[::-1],
                flags=cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR),
                borderMode=cv2.BORDER_CONSTANT if nearest else cv2.BORDER_REPLICATE,
                borderValue=PADDING,
            )
        )

    def _source_box(self, margin: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The part of the frame that the window needs: first ``(x, y)`` and one past the last."""
        height, width = self.size
        corners = self.to_frame(np.array([[0, 0], [width - 1, height - 1]], np.float64))
        limit = np.array(self.source[::-1])
        first = np.clip(np.floor(corners.min(0)).astype(int) - margin, 0, limit - 1)
        last = np.clip(np.ceil(corners.max(0)).astype(int) + margin, 0, limit - 1)
        return (int(first[0]), int(first[1])), (int(last[0]) + 1, int(last[1]) + 1)


class RandomView(A.DualTransform):  # type: ignore[misc]
    """A random ``View`` of image, keypoints and mask.

    Args:
        crop_size_px: side of the square window; None keeps the frame's size, and then a frame that is not square
            gets no odd number of quarter turns.
        flips: mirror at random.
        quarter_turns: turn by multiples of 90 degrees at random.
        scale_range: lowest and highest factor, drawn evenly in its logarithm.
        crop_around_points: probability that the window is chosen to hold a random keypoint, not anywhere.
    """

    _targets = (
        A.core.type_definitions.Targets.IMAGE,
        A.core.type_definitions.Targets.MASK,
        A.core.type_definitions.Targets.KEYPOINTS,
    )

    def __init__(
        self,
        crop_size_px: int | None,
        flips: bool,
        quarter_turns: bool,
        scale_range: tuple[float, float],
        crop_around_points: float,
    ) -> None:
        super().__init__(p=1.0)
        self.crop_size_px = crop_size_px
        self.flips = flips
        self.quarter_turns = quarter_turns
        self.scale_range = scale_range
        self.crop_around_points = crop_around_points

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the view; a window that must hold a point needs to know the points."""
        source: Size = params["shape"][:2]
        size = source if self.crop_size_px is None else (self.crop_size_px, self.crop_size_px)
        transpose, mirror_x, mirror_y = self.py_random.choice(self._orientations(source))
        scale = math.exp(self.py_random.uniform(*map(math.log, self.scale_range)))
        free = View(source, transpose, mirror_x, mirror_y, scale, (0, 0), size)
        points = data.get("keypoints", ())
        target = None
        if self.py_random.random() < self.crop_around_points and len(points):
            target = free.to_window(np.asarray(points)[[self.py_random.randrange(len(points))], :2])[0]
        turned = source[::-1] if transpose else source
        x = self._shift(round(turned[1] * scale), size[1], None if target is None else target[0])
        y = self._shift(round(turned[0] * scale), size[0], None if target is None else target[1])
        return {"view": View(source, transpose, mirror_x, mirror_y, scale, (x, y), size)}

    def _orientations(self, source: Size) -> list[tuple[bool, bool, bool]]:
        may_transpose = self.quarter_turns and (self.crop_size_px is not None or source[0] == source[1])
        return [
            (transpose, mirror_x, mirror_y)
            for transpose in (False, True)
            for mirror_x in (False, True)
            for mirror_y in (False, True)
            if (may_transpose or not transpose)
            # An even number of reflections is a turn, an odd number a mirror image.
            and (self.flips or (transpose + mirror_x + mirror_y) % 2 == 0)
            and (self.quarter_turns or self.flips or not (mirror_x or mirror_y))
        ]

    def _shift(self, length: int, window: int, target: float | None) -> int:
        """Start of a window on an axis of the enlarged frame; ``target`` must then lie inside."""
        low, high = min(0, length - window), max(0, length - window)
        if target is not None:
            low, high = max(low, math.ceil(target) - window + 1), min(high, math.floor(target))
        return int(self.py_random.randint(low, max(low, high)))

    def apply(self, img: npt.NDArray[np.uint8], view: View, **params: Any) -> npt.NDArray[np.uint8]:
        """Resample the pixels, linearly; shrinking is low-pass filtered first."""
        return view.sample(img, nearest=False)

    def apply_to_mask(self, mask: npt.NDArray[np.uint8], view: View, **params: Any) -> npt.NDArray[np.uint8]:
        """Resample the map, nearest pixel."""
        return view.sample(mask, nearest=True)

    def apply_to_keypoints(self, keypoints: Float64, view: View, **params: Any) -> Float64:
        """Move the points."""
        moved = np.array(keypoints, np.float64)
        moved[:, :2] = view.to_window(moved[:, :2])
        return moved
