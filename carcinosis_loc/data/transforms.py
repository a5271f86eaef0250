"""Augmentation for training. A frame, its points and its coverage move together."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import albumentations as A
import numpy as np
import numpy.typing as npt

from carcinosis_loc.data.copy_paste import CopyPaste
from carcinosis_loc.data.coverage import PADDING, Coverage
from carcinosis_loc.data.effects import Smoke, SpecularSpots
from carcinosis_loc.data.view import RandomView, View
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32

Rgb = npt.NDArray[np.uint8]


class Augmented(NamedTuple):
    """An augmented frame.

    Attributes:
        image: ``(H, W, 3)``, uint8, RGB, black on padding.
        xy: the points inside it ``(N, 2)``, float32, pixels of this image.
        coverage: ``(H, W)``, see ``coverage_map``.
        view: where it lies on the frame.
    """

    image: Rgb
    xy: Float32
    coverage: Coverage
    view: View


class TrainTransform:
    """Random view, colour, noise, blur, highlights and smoke; the same for the same seed, anywhere.

    Points that leave the window are dropped; the others stay labelled, whatever happens to the colours.

    Args:
        crop_size_px: side of the square window that is cut out, network pixels. None keeps the frame's size (all
            frames must then have one size, and only square ones get odd quarter turns).
        flips: mirror at random.
        quarter_turns: turn by 0, 90, 180 or 270 degrees at random.
        scale_range: lowest and highest enlargement, drawn evenly in its logarithm; (1, 1) keeps the pixels.
        crop_around_points: probability that the window is chosen to hold a random labelled point. With few labels
            on large frames most windows would otherwise hold none.
        colour_probability: probability of a change of brightness and contrast, and again of hue and saturation.
        colour_strength: largest relative change of brightness and contrast; hue and saturation change in step.
        gamma_probability: probability of a change of gamma.
        gamma_range: lowest and highest gamma.
        noise_probability: probability of Gaussian noise.
        noise_std_range: its lowest and highest standard deviation, as a share of full white.
        blur_probability: probability of a Gaussian blur.
        blur_sigma_px: its lowest and highest standard deviation, network pixels.
        defocus_probability: probability of a disc-shaped blur.
        defocus_radius_px: its smallest and largest radius, network pixels.
        specular_probability: probability of wet highlights.
        specular_max_spots: largest number of highlights.
        specular_max_patches: largest number of patches of streaks.
        smoke_probability: probability of smoke.
        smoke_opacity_range: its lowest and highest opacity where it is thickest.
        copy_paste: copies labelled objects about the frame, before everything else; None leaves the frame as it is.

    Raises:
        InputError: an argument outside its range; the message names it.
    """

    def __init__(
        self,
        crop_size_px: int | None = 256,
        flips: bool = True,
        quarter_turns: bool = True,
        scale_range: tuple[float, float] = (0.75, 1.33),
        crop_around_points: float = 0.5,
        colour_probability: float = 0.7,
        colour_strength: float = 0.2,
        gamma_probability: float = 0.3,
        gamma_range: tuple[float, float] = (0.8, 1.25),
        noise_probability: float = 0.3,
        noise_std_range: tuple[float, float] = (0.005, 0.03),
        blur_probability: float = 0.15,
        blur_sigma_px: tuple[float, float] = (0.4, 1.2),
        defocus_probability: float = 0.1,
        defocus_radius_px: tuple[int, int] = (1, 3),
        specular_probability: float = 0.2,
        specular_max_spots: int = 6,
        specular_max_patches: int = 0,
        smoke_probability: float = 0.15,
        smoke_opacity_range: tuple[float, float] = (0.1, 0.4),
        copy_paste: CopyPaste | None = None,
    ) -> None:
        _check({name: value for name, value in locals().items() if name != "self"})
        self.crop_size_px = crop_size_px
        self.copy_paste = copy_paste
        self.view = RandomView(crop_size_px, flips, quarter_turns, _pair(scale_range), crop_around_points)
        light, hue = colour_strength, 40 * colour_strength
        self.effects: list[A.ImageOnlyTransform] = [
            # Brightness moves by a share of the picture's mean: a share of white would blacken dark pictures.
            A.RandomBrightnessContrast(light, light, brightness_by_max=False, p=colour_probability),
            A.HueSaturationValue(hue, 3 * hue, 0, p=colour_probability),
            A.RandomGamma(tuple(100 * gamma for gamma in gamma_range), p=gamma_probability),
            Smoke(_pair(smoke_opacity_range), p=smoke_probability),
            SpecularSpots(specular_max_spots, max_patches=specular_max_patches, p=specular_probability),
            A.GaussianBlur(blur_limit=0, sigma_limit=_pair(blur_sigma_px), p=blur_probability),
            A.Defocus(_pair(defocus_radius_px), alias_blur=(0.1, 0.3), p=defocus_probability),
            # The camera's noise comes last: it is not blurred.
            A.GaussNoise(std_range=_pair(noise_std_range), p=noise_probability),
        ]
        self.pipeline = A.Compose(
            [self.view, *self.effects],
            # Points on the outer half of a border pixel are inside for us: we drop points ourselves.
            keypoint_params=A.KeypointParams(format="xy", remove_invisible=False),
        )

    def __call__(self, image: Rgb, xy: Float32, coverage: Coverage, seed: int) -> Augmented:
        """Augment one frame.

        Args:
            image: ``(H, W, 3)``, uint8, RGB; it is not changed.
            xy: points ``(N, 2)``, network pixels.
            coverage: ``(H, W)``, see ``coverage_map``.
            seed: all that is random comes from it.
        """
        if self.copy_paste is not None:
            image, xy = self.copy_paste(image, xy, coverage, seed)
        # One stream for the whole pipeline: Compose.set_random_seed would start every transform from the same
        # state, and so tie, say, blur to noise.
        self.pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))
        moved = self.pipeline(image=image, mask=coverage, keypoints=np.asarray(xy, np.float32).reshape(-1, 2))
        image, coverage = moved["image"], moved["mask"]
        if (coverage == PADDING).any():
            image[coverage == PADDING] = 0
        points = np.asarray(moved["keypoints"], np.float32).reshape(-1, 2)
        height, width = coverage.shape
        inside = (points >= -0.5).all(1) & (points[:, 0] <= width - 0.5) & (points[:, 1] <= height - 0.5)
        return Augmented(image, points[inside], coverage, self.view.params["view"])


def _pair(values: Sequence[float]) -> tuple[float, float]:
    low, high = values  # YAML gives lists, albumentations wants tuples
    return low, high


def _check(arguments: dict[str, Any]) -> None:
    for name, value in arguments.items():
        wanted = None
        if name.endswith("_probability") or name in ("crop_around_points", "colour_strength"):
            wanted = None if 0 <= value <= 1 else "between 0 and 1"
        elif name == "crop_size_px":
            wanted = None if value is None or value > 0 else "at least 1, or null"
        elif name == "specular_max_spots":
            wanted = None if value >= 1 else "at least 1"
        elif name == "specular_max_patches":
            wanted = None if value >= 0 else "at least 0"
        elif name.endswith(("_range", "_sigma_px", "_radius_px")):
            low, high = value
            least = 0 if name.startswith(("noise", "smoke")) else 1 if name.startswith("defocus") else 1e-3
            most = 1 if name.startswith(("noise", "smoke")) else 100
            wanted = None if least <= low <= high <= most else f"[low, high] between {least} and {most}"
        if wanted:
            raise InputError(f"data.train_transform.{name} must be {wanted}, not {value}")
