"""How far labelled objects stand out from their surroundings: what an annotator in haste marks first."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.annotations.checks import Coco, checked
from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.images import Rgb, read_image
from carcinosis_loc.errors import InputError

_RING = (2.0, 3.0)  # radii of the ring around, in those of the object: beyond its soft rim, before its neighbours


def contrast(rgb: Rgb, x: float, y: float, radius_px: float) -> float:
    """Distance in CIELAB between the mean colour of a disc and the median colour of the ring around it.

    Args:
        rgb: ``(H, W, 3)``, uint8.
        x: of the disc's middle, image pixels.
        y: of the disc's middle, image pixels.
        radius_px: of the disc; the ring reaches from two of them to three. What lies beyond the image is left out.
    """
    reach = int(np.ceil(_RING[1] * radius_px))
    left, top = max(0, round(x) - reach), max(0, round(y) - reach)
    window = rgb[top : round(y) + reach + 1, left : round(x) + reach + 1]
    lab = cv2.cvtColor(window.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    rows, columns = np.indices(window.shape[:2])
    distance = np.hypot(columns + left - x, rows + top - y) / radius_px
    disc = lab[distance <= max(1.0, float(distance.min()))]  # a pixel at least
    ring = lab[(distance >= _RING[0]) & (distance <= _RING[1])]
    return float(np.linalg.norm(disc.mean(0) - np.median(ring, axis=0))) if len(ring) else 0.0


def with_contrast(coco: Any, in_json: Path, image_dir: Path, radius_px: float) -> Coco:
    """Give every annotation the contrast of its points, the highest if there are several, as its ``conspicuity``.

    It is another measure than that of ``ConspicuousFirst``, so that labels made with it do not flatter that.

    Args:
        coco: what ``json.load`` gives of ``in_json``; it stays as it is.
        in_json: the label file.
        image_dir: the folder of its images.
        radius_px: about that of the objects, image pixels.

    Raises:
        InputError: no COCO keypoint file, a radius that is none, or an image that cannot be read.
    """
    if not 0 < radius_px < 1000:
        raise InputError(f"object_radius_px is {radius_px}; it must be a number above 0 and below 1000")
    file = checked(coco, str(in_json))
    annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in file["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    measured: dict[int, float] = {}
    for frame in read_coco(in_json, image_dir, with_labels=False):
        rgb = read_image(frame.path)
        for annotation in annotations[frame.image_id]:
            measured[annotation["id"]] = max(_contrasts(rgb, annotation, radius_px), default=0.0)
    new = [one | {"conspicuity": round(measured[one["id"]], 4)} for one in file["annotations"]]
    return file | {"annotations": new}


def _contrasts(rgb: Rgb, annotation: dict[str, Any], radius_px: float) -> list[float]:
    triples: npt.NDArray[np.float64] = np.asarray(annotation.get("keypoints", []), np.float64).reshape(-1, 3)
    return [contrast(rgb, x, y, radius_px) for x, y, v in triples if v > 0]
