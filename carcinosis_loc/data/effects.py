"""What laparoscopy does to a picture and albumentations has not: wet highlights and smoke."""

from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


class SpecularSpots(A.ImageOnlyTransform):  # type: ignore[misc]
    """Small near-white highlights with soft edges, as light leaves them on wet tissue.

    They come alone, and in patches of streaks, as on tissue that is rough and wet.

    Args:
        max_spots: a picture gets one to this many.
        radius_px: smallest and largest long half-axis of a spot.
        max_patches: a picture gets none to this many.
        patch_radius_px: smallest and largest radius of a patch.
        p: probability that a picture gets any.
    """

    def __init__(
        self,
        max_spots: int = 6,
        radius_px: tuple[float, float] = (1.0, 4.0),
        max_patches: int = 0,
        patch_radius_px: tuple[float, float] = (5.0, 25.0),
        p: float = 0.5,
    ) -> None:
        super().__init__(p=p)
        self.max_spots = max_spots
        self.radius_px = radius_px
        self.max_patches = max_patches
        self.patch_radius_px = patch_radius_px

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the highlights' opacity, ``(H, W)`` in [0, 1]."""
        height, width = params["shape"][:2]
        opacity = np.zeros((height, width), np.uint8)
        for _ in range(self.py_random.randint(1, self.max_spots)):
            centre = self.py_random.uniform(0, width - 1), self.py_random.uniform(0, height - 1)
            radius_px = self.py_random.uniform(*self.radius_px)
            axes = radius_px, radius_px * self.py_random.uniform(0.3, 1.0)
            brightness = self.py_random.uniform(0.6, 1.0)
            cv2.ellipse(
                opacity,
                [round(16 * value) for value in centre],
                [max(8, round(16 * value)) for value in axes],
                self.py_random.uniform(0, 180),
                0,
                360,
                255 * brightness,
                -1,
                cv2.LINE_AA,
                4,
            )
        soft = cv2.GaussianBlur(opacity, (0, 0), 0.8).astype(np.float32) / 255
        for _ in range(self.py_random.randint(0, self.max_patches) if self.max_patches else 0):
            np.maximum(soft, self._patch(height, width), out=soft)
        return {"opacity": soft}

    def _patch(self, height: int, width: int) -> Float32:
        """Opacity ``(H, W)`` of streaks: the summits of noise that is smoothed along one direction more than across."""
        radius_px = self.py_random.uniform(*self.patch_radius_px)
        side = 2 * int(2 * radius_px) + 1
        across_px = self.py_random.uniform(0.7, 1.3)
        noise = self.random_generator.standard_normal((side, side), np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), across_px * self.py_random.uniform(1.0, 2.5), sigmaY=across_px)
        middle = (side - 1) / 2
        turn = cv2.getRotationMatrix2D((middle, middle), self.py_random.uniform(0, 180), 1.0)
        noise = cv2.warpAffine(noise / noise.std(), turn, (side, side), borderMode=cv2.BORDER_REFLECT)
        offset = np.arange(side, dtype=np.float32) - np.float32(middle)
        distance = np.hypot(offset[:, None], offset) / np.float32(radius_px)
        summit = self.py_random.uniform(0.4, 1.0) * np.clip(1.2 * noise - 0.8 - 1.5 * distance**2, 0, 1)
        opacity = np.zeros((height + 2 * side, width + 2 * side), np.float32)
        top, left = self.py_random.randint(0, height - 1), self.py_random.randint(0, width - 1)
        place = np.s_[top + side // 2 : top + side // 2 + side, left + side // 2 : left + side // 2 + side]
        opacity[place] = summit
        return opacity[side:-side, side:-side]

    def apply(self, img: Rgb, opacity: Float32, **params: Any) -> Rgb:
        """Blend with white."""
        return _blend(img, opacity, 255.0)


class Smoke(A.ImageOnlyTransform):  # type: ignore[misc]
    """Cautery smoke: a veil of light grey that varies slowly over the picture.

    Args:
        opacity_range: lowest and highest opacity that the veil has where it is thickest.
        p: probability that a picture gets any.
    """

    def __init__(self, opacity_range: tuple[float, float] = (0.1, 0.4), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.opacity_range = opacity_range

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the veil's opacity ``(H, W)`` and its grey."""
        height, width = params["shape"][:2]
        cells = self.random_generator.random((self.py_random.randint(2, 4), self.py_random.randint(2, 4)))
        veil = cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        veil = np.clip(veil, 0, 1) * np.float32(self.py_random.uniform(*self.opacity_range))
        return {"opacity": veil, "grey": self.py_random.uniform(190, 235)}

    def apply(self, img: Rgb, opacity: Float32, grey: float, **params: Any) -> Rgb:
        """Blend with the grey."""
        return _blend(img, opacity, grey)


def _blend(image: Rgb, opacity: Float32, grey: float) -> Rgb:
    pixels = image.astype(np.float32)
    pixels += (np.float32(grey) - pixels) * opacity[:, :, None]
    return np.asarray(np.clip(pixels + np.float32(0.5), 0, 255), np.uint8)
