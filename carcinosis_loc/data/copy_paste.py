"""More labels from few: labelled objects are copied to other places of their frame, some of them faded."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.data.coverage import PADDING, VALID, Coverage
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32

Rgb = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]


class CopyPaste:
    """Copies labelled objects within a frame, turned, mirrored, scaled and faded; every copy is a label.

    With sparse labels it does three things. It multiplies the positives. It brings the share of objects that is
    labelled nearer to 1, and nearer to the same on crowded and on empty frames, so that scores rise and one
    threshold fits all. And copies that are fainter than what annotators marked teach the network that the faint is an
    object too, where the conspicuous was labelled first.

    A copy is a disc around the source with a soft rim, shifted in colour so that its surroundings match those of
    its new place, and blended in by a random strength. Where the copy is smaller than its source, so is the disc.
    Labelled objects are faded in place, too: then the same object is seen at many contrasts. Copy-paste for
    instance segmentation: Ghiasi et al. 2021, arXiv 2012.07177; discs, matching and fading for points are ours.

    Args:
        radius_px: radius of the disc, network pixels: an object with a rim of its surroundings, about twice an
            object's own radius.
        copies: mean number of copies on a frame (a Poisson distribution); a place that is taken is skipped.
        strength_range: lowest and highest opacity of a copy.
        scale_range: lowest and highest enlargement of a copy, drawn evenly in its logarithm.
        fade_probability: probability that a labelled object is faded in place.
        fade_range: by how much, 0 not at all, 1 wholly.

    Raises:
        InputError: an argument outside its range.
    """

    def __init__(
        self,
        radius_px: int = 10,
        copies: float = 10.0,
        strength_range: tuple[float, float] = (0.3, 1.0),
        scale_range: tuple[float, float] = (0.75, 1.33),
        fade_probability: float = 0.3,
        fade_range: tuple[float, float] = (0.0, 0.7),
    ) -> None:
        _check("radius_px", [radius_px], 2, 500)
        _check("copies", [copies], 0, 10_000)
        _check("strength_range", strength_range, 0, 1)
        _check("scale_range", scale_range, 0.1, 10)
        _check("fade_probability", [fade_probability], 0, 1)
        _check("fade_range", fade_range, 0, 1)
        self.radius_px = radius_px
        self.copies = copies
        self.strength_range = strength_range
        self.scale_range = scale_range
        self.fade_probability = fade_probability
        self.fade_range = fade_range
        offset = np.arange(-radius_px, radius_px + 1)
        self._distance_px = np.hypot(offset[:, None], offset)

    def __call__(self, image: Rgb, xy: Float32, coverage: Coverage, seed: int) -> tuple[Rgb, Float32]:
        """Copy and fade on one frame.

        Args:
            image: ``(H, W, 3)``, uint8, RGB; it is not changed.
            xy: labelled points ``(N, 2)``, network pixels.
            coverage: ``(H, W)``, see ``coverage_map``; nothing is copied to where it is not valid, nor padding
                to anywhere.
            seed: all that is random comes from it.

        Returns:
            The new image, and the points with those of the copies after them.
        """
        random = np.random.default_rng([seed, 1])  # not the stream of the view and the colours
        out, points = image.copy(), [(float(x), float(y)) for x, y in xy]
        sources = [point for point in points if self._is_source(point, coverage)]
        for _ in range(random.poisson(self.copies) if sources else 0):
            target = self._free_place(points, coverage, random)
            source = sources[random.integers(len(sources))]
            (copy, scale), strength = self._turned(image, source, random), random.uniform(*self.strength_range)
            if target is not None:
                place, disc_px = self._window(out, target), max(2.0, self.radius_px * min(1.0, scale))
                shift = self._surroundings(place, disc_px) - self._surroundings(copy, disc_px)
                self._blend(place, copy + shift, strength, disc_px)
                points.append(target)
        for point in [point for point in points[: len(xy)] if self._fits(point, image.shape, 1.0)]:
            amount = random.uniform(*self.fade_range)
            if random.random() < self.fade_probability:
                place = self._window(out, point)
                self._blend(place, self._surroundings(place, self.radius_px), amount, self.radius_px)
        return out, np.asarray(points, np.float32).reshape(-1, 2)

    def _fits(self, point: tuple[float, float], shape: Sequence[int], discs: float) -> bool:
        """Whether a disc of so many radii around the point lies on the frame."""
        reach = math.ceil(discs * self.radius_px) + 1
        return reach <= point[0] < shape[1] - reach and reach <= point[1] < shape[0] - reach

    def _is_source(self, point: tuple[float, float], coverage: Coverage) -> bool:
        """Whether no padding lies within one and a half radii, as much as a shrunk copy shows."""
        x, y, r = round(point[0]), round(point[1]), math.ceil(1.5 * self.radius_px)
        around = coverage[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1]
        return self._fits(point, coverage.shape, 1.5) and bool((around != PADDING).all())

    def _free_place(
        self, points: list[tuple[float, float]], coverage: Coverage, random: np.random.Generator
    ) -> tuple[float, float] | None:
        """A random place, or None if it is too near to a point, to the border or to what is not valid."""
        height, width = coverage.shape
        place = (float(random.integers(width)), float(random.integers(height)))
        if not self._fits(place, coverage.shape, 1.0) or (self._window(coverage, place) != VALID).any():
            return None
        return place if all(math.dist(place, other) >= self.radius_px for other in points) else None

    def _window(self, image: npt.NDArray[np.uint8], point: tuple[float, float]) -> npt.NDArray[np.uint8]:
        """A view of the square around the point."""
        x, y, r = round(point[0]), round(point[1]), self.radius_px
        return image[y - r : y + r + 1, x - r : x + r + 1]

    def _turned(self, image: Rgb, source: tuple[float, float], random: np.random.Generator) -> tuple[Pixels, float]:
        """The square around a source, its point in the middle, turned, mirrored and scaled; and its scale."""
        angle, shrink = random.uniform(0, 2 * math.pi), math.exp(-random.uniform(*np.log(self.scale_range)))
        cosine, sine, mirror = shrink * math.cos(angle), shrink * math.sin(angle), random.choice([-1, 1])
        linear = np.array([[mirror * cosine, -sine], [mirror * sine, cosine]])
        shift = np.array(source) - linear @ np.array([self.radius_px, self.radius_px])
        side = 2 * self.radius_px + 1
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        affine = np.column_stack([linear, shift])
        turned = cv2.warpAffine(image, affine, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(turned, np.float32), 1 / shrink

    def _surroundings(self, square: Rgb | Pixels, disc_px: float) -> Pixels:
        """Median colour ``(3,)`` on the disc's rim; the median passes over a neighbour that reaches into it."""
        rim = (self._distance_px >= 0.85 * disc_px) & (self._distance_px <= disc_px + 0.5)
        return np.asarray(np.median(square[rim], axis=0), np.float32)

    def _blend(self, place: Rgb, with_: Pixels, strength: float, disc_px: float) -> None:
        ramp = np.clip((disc_px - self._distance_px) / (0.4 * disc_px), 0, 1)
        opacity = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[:, :, None]
        mixed = place + np.float32(strength) * opacity * (with_ - place)
        place[:] = np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8)


def _check(name: str, values: Sequence[float], least: float, most: float) -> None:
    if not all(least <= value <= most for value in values) or list(values) != sorted(values):
        wanted = f"{'[low, high] ' if len(values) > 1 else ''}from {least} to {most}"
        given = list(values) if len(values) > 1 else values[0]
        raise InputError(f"data.train_transform.copy_paste.{name} must be {wanted}, not {given}")
