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

    Args:
        max_spots: a picture gets one to this many.
        radius_px: smallest and largest long half-axis of a spot.
        p: probability that a picture gets any.
    """

    def __init__(self, max_spots: int = 6, radius_px: tuple[float, float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.max_spots = max_spots
        self.radius_px = radius_px

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
        return {"opacity": cv2.GaussianBlur(opacity, (0, 0), 0.8).astype(np.float32) / 255}

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
