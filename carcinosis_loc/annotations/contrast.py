"""How far labelled objects stand out from their surroundings: what an annotator in haste marks first."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from carcinosis_loc.annotations.checks import Coco, checked
from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.images import Rgb, read_image
from carcinosis_loc.errors import InputError

OBJECT_RADIUS_PX = 4.0  # where nobody says another: of a nodule on a frame of some 200 px
_RING = (2.0, 3.0)  # radii of the ring around, in those of the object: beyond its soft rim, before its neighbours


def contrast(rgb: Rgb, x: float, y: float, radius_px: float) -> float | None:
    """Distance in CIELAB between the mean colour of a disc and the median colour of the ring around it.

    Args:
        rgb: ``(H, W, 3)``, uint8.
        x: of the disc's middle, on the image, image pixels.
        y: of the disc's middle, on the image, image pixels.
        radius_px: of the disc, 1 at least; the ring reaches from two of them to three. What lies beyond the image is
            left out.

    Returns:
        0 and more; None if nothing of the ring lies on the image.
    """
    reach = int(np.ceil(_RING[1] * radius_px))
    left, top = max(0, round(x) - reach), max(0, round(y) - reach)
    window = rgb[top : round(y) + reach + 1, left : round(x) + reach + 1]
    lab = cv2.cvtColor(window.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    rows, columns = np.indices(window.shape[:2])
    distance = np.hypot(columns + left - x, rows + top - y) / radius_px
    ring = lab[(distance >= _RING[0]) & (distance <= _RING[1])]
    if not len(ring):
        return None
    return float(np.linalg.norm(lab[distance <= 1].mean(0) - np.median(ring, axis=0)))


def with_contrast(coco: Any, in_json: Path, image_dir: Path, radius_px: float) -> Coco:
    """Give every annotation the contrast of its points, the highest if there are several, as its ``conspicuity``.

    One that the file holds already is replaced; ignore regions (``iscrowd: 1``) stay as they are.
    It is another measure than that of ``ConspicuousFirst``, so that labels made with it do not flatter that.

    Args:
        coco: what ``json.load`` gives of ``in_json``; it stays as it is.
        in_json: the label file.
        image_dir: the folder of its images.
        radius_px: about that of the objects, image pixels, 1 at least.

    Raises:
        InputError: no COCO keypoint file, a radius that is none, an image that cannot be read, or a point outside of
            its image or with nothing of it around.
    """
    if not 1 <= radius_px < 1000:
        raise InputError(f"object_radius_px is {radius_px}; it must be a number of 1 or more, and below 1000")
    file = checked(coco, str(in_json))
    annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in file["annotations"]:
        if not annotation.get("iscrowd"):
            annotations[annotation["image_id"]].append(annotation)
    measured: dict[int, dict[str, float]] = {}
    for frame in read_coco(in_json, image_dir, allow_symlinks=True, with_labels=False):
        rgb = read_image(frame.path)
        for annotation in annotations[frame.image_id]:
            try:
                most = max(_contrasts(rgb, annotation["keypoints"], radius_px), default=0.0)
            except ValueError as error:
                raise InputError(f"{in_json}: annotation {annotation['id']}: {error}") from error
            measured[annotation["id"]] = {"conspicuity": round(most, 4)}
    return file | {"annotations": [one | measured.get(one["id"], {}) for one in file["annotations"]]}


def _contrasts(rgb: Rgb, keypoints: list[float], radius_px: float) -> Iterator[float]:
    height, width = rgb.shape[:2]
    for x, y, v in zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True):
        if v <= 0:
            continue
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise ValueError(f"its point ({x}, {y}) lies outside of the image of {width} x {height} pixels")
        measured = contrast(rgb, min(max(x, 0), width - 1), min(max(y, 0), height - 1), radius_px)
        if measured is None:
            raise ValueError(f"nothing of the image lies two to three times {radius_px} px from its point ({x}, {y})")
        yield measured
