"""The objects that masks show: their centroids, boxes and areas."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.annotations.images import SUFFIXES, read_image
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32, Size

Mask = npt.NDArray[np.bool_]


class Objects(NamedTuple):
    """What a picture's masks show, in the pixels of the source.

    Attributes:
        xy: centroids ``(N, 2)``.
        boxes: ``(N, 4)``, left and upper side, width and height; pixel edges, so a single pixel is 1 wide.
        areas: ``(N,)``, pixels.
    """

    xy: Float32
    boxes: Float32
    areas: Float32


def read_objects(mask: Path, size: Size, min_area_px: int = 1) -> Objects:
    """Objects of one picture.

    Args:
        mask: a file, of which each connected component (8 neighbours) of what is not black is an object; or a folder
            of files, each of them one object, of however many parts.
        size: of the picture, ``(height, width)``.
        min_area_px: smaller objects are left out, source pixels.

    Raises:
        InputError: a mask that cannot be read, is of another size than the picture, or a folder without one.
    """
    if not mask.is_dir():
        return _components(_read(mask, size), min_area_px)
    files = sorted(path for path in mask.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{mask}: no mask in this folder")
    whole = [_whole(_read(path, size), path) for path in files]
    stacked = Objects(*(np.stack(values).astype(np.float32) for values in zip(*whole, strict=True)))
    return _chosen(stacked, min_area_px)


def _read(path: Path, size: Size) -> Mask:
    mask = read_image(path).any(-1)
    if mask.shape != size:
        shape = f"{mask.shape[1]} x {mask.shape[0]}"
        raise InputError(f"{path}: is {shape} px, and its picture {size[1]} x {size[0]} px; they must agree")
    return np.asarray(mask)


def _components(mask: Mask, min_area_px: int) -> Objects:
    _, _, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = Objects(centroids[1:].astype(np.float32), stats[1:, :4].astype(np.float32), stats[1:, 4].astype(np.float32))
    return _chosen(found, min_area_px)


def _whole(mask: Mask, path: Path) -> tuple[Float32, Float32, Float32]:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise InputError(f"{path}: the mask is empty; remove it, or mend it")
    left, top = columns.min(), rows.min()
    box = [left, top, columns.max() - left + 1, rows.max() - top + 1]
    return (
        np.array([columns.mean(), rows.mean()], np.float32),
        np.array(box, np.float32),
        np.array(len(rows), np.float32),
    )


def _chosen(found: Objects, min_area_px: int) -> Objects:
    large = found.areas >= min_area_px
    return Objects(found.xy[large], found.boxes[large], found.areas[large])
