"""Smooth random fields: the raw material of folds, light, smoke and stains."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size

REFERENCE_PX = 192.0
"""Lengths in this room are given for a frame whose shorter side has this many pixels."""


def unit(size: Size) -> float:
    """Pixels of a frame of ``size`` that make one pixel of a frame with a shorter side of 192 pixels."""
    return min(size) / REFERENCE_PX


def float32(value: object) -> Float32:
    """As an array of float32; no copy where it is one."""
    return np.asarray(value, np.float32)


def offsets(size: Size, centre: tuple[float, float]) -> tuple[Float32, Float32]:
    """Offsets of all pixels from ``centre``, ``(x, y)``: a row ``(1, W)`` and a column ``(H, 1)``."""
    x = np.arange(size[1], dtype=np.float32) - np.float32(centre[0])
    y = np.arange(size[0], dtype=np.float32) - np.float32(centre[1])
    return x[None, :], y[:, None]


def middle(size: Size) -> tuple[float, float]:
    """The centre of a frame, ``(x, y)``."""
    return (size[1] - 1) / 2, (size[0] - 1) / 2


def smooth_noise(rng: np.random.Generator, size: Size, cell_px: float) -> Float32:
    """Normal noise on a grid of ``cell_px``, interpolated: ``size``, about zero mean and unit variance."""
    return directed_noise(rng, size, (cell_px, cell_px), rng.uniform(0, np.pi))


def directed_noise(
    rng: np.random.Generator, size: Size, cell_px: tuple[float, float], angle: float, wander: float = 0.0
) -> Float32:
    """Noise stretched along ``angle`` (radians): ``cell_px`` is (along, across).

    It is sampled at four to eight pixels a cell and enlarged: cheap, and smooth enough to be differentiated.
    With ``wander`` the streaks bend to either side by so many cells.
    """
    doublings = power_of_two(min(cell_px) / 4)
    small = smaller(size, doublings)
    along, across = (max(cell / 2**doublings, 1.0) for cell in cell_px)
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.array([[cos / along, sin / along], [-sin / across, cos / across]])
    reach = np.abs(rotate) @ np.array([small[1], small[0]]) + 2 * wander
    grid = (int(reach[1]) + 5, int(reach[0]) + 5)
    values = rng.standard_normal(grid, dtype=np.float32)
    centre = np.array([(grid[1] - 1) / 2, (grid[0] - 1) / 2]) + rng.random(2) - 0.5
    offset = centre - rotate @ np.array([(small[1] - 1) / 2, (small[0] - 1) / 2])
    matrix = np.column_stack([rotate, offset]).astype(np.float32)
    if wander:
        field = _bent(rng, values, matrix, small, wander)
    else:
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        field = cv2.warpAffine(values, matrix, small[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return enlarged(float32(field), doublings, size) * np.float32(1.35)


def power_of_two(factor: float) -> int:
    """The greatest n of 0 or more with ``2**n <= factor``."""
    return max(0, int(np.log2(max(factor, 1.0))))


def smaller(size: Size, doublings: int) -> Size:
    """Size of the field that ``enlarged`` needs to fill ``size``."""
    return (size[0] >> doublings) + 4, (size[1] >> doublings) + 4


def enlarged(field: Float32, doublings: int, size: Size) -> Float32:
    """Double ``field`` some times and cut out ``size``; pixel 0 of it is pixel 1 of ``field``.

    The kernel of ``pyrUp`` is that of cubic B-splines: unlike OpenCV's cubic interpolation it keeps a slope even,
    which matters as fields are shaded.
    """
    for _ in range(doublings):
        field = cv2.pyrUp(field)
    start = 2**doublings
    return field[start : start + size[0], start : start + size[1]]


def _bent(rng: np.random.Generator, values: Float32, matrix: Float32, size: Size, wander: float) -> Float32:
    """Read ``values`` at ``matrix @ (x, y, 1)``, swaying across by ``wander`` cells."""
    x, y = offsets(size, (0, 0))
    along = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    across = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    pace, phase = np.float32(rng.uniform(1.2, 2.2)), np.float32(rng.uniform(0, 2 * np.pi))
    across += np.float32(wander) * np.sin(along * pace + phase)
    return float32(cv2.remap(values, along, across, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


def fractal_noise(rng: np.random.Generator, size: Size, cell_px: float, octaves: int = 3) -> Float32:
    """Octaves of smooth noise, each half as coarse and half as strong; about unit variance."""
    total = np.zeros(size, np.float32)
    norm = 0.0
    for octave in range(octaves):
        weight = 0.5**octave
        total += np.float32(weight) * smooth_noise(rng, size, cell_px * weight)
        norm += weight**2
    return total / np.float32(np.sqrt(norm))


def smoothstep(low: float, high: float, value: Float32) -> Float32:
    """0 below ``low``, 1 above ``high`` (or the other way round), smooth between."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return float32(t * t * (3 - 2 * t))


def blur(image: Float32, sigma_px: float) -> Float32:
    """Gaussian blur; strong ones are done on a smaller copy, which costs the same at any ``sigma_px``."""
    shrink = int(max(1, sigma_px // 4))
    if shrink == 1:
        return float32(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.05)))
    height, width = image.shape[:2]
    small = (max(2, round(width / shrink)), max(2, round(height / shrink)))
    smaller = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    smaller = cv2.GaussianBlur(smaller, (0, 0), sigma_px * small[0] / width)
    return float32(cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR))


def mix(image: Float32, colour: Float32, share: Float32) -> None:
    """Blend ``colour``, ``(3, 1, 1)`` or ``(3, H, W)``, into ``image`` in place; ``share`` is ``(H, W)``, 0 to 1."""
    for channel, tone in zip(image, colour, strict=True):
        channel += (tone - channel) * share
