"""COCO keypoint files as this package writes them: one point an annotation, the exhaustive flag on the image."""

from collections.abc import Sequence
from typing import Any

from carcinosis_loc.points import Float32, Size

NODULE: dict[str, Any] = {"id": 1, "name": "nodule", "keypoints": ["center"], "skeleton": []}


def image_entry(
    image_id: int, file_name: str, size: Size, *, exhaustive: bool, group: str | None = None
) -> dict[str, Any]:
    """An entry of ``images``; ``size`` is ``(height, width)`` in image pixels."""
    entry: dict[str, Any] = {"id": image_id, "file_name": file_name, "width": size[1], "height": size[0]}
    if group is not None:
        entry["group"] = group
    return entry | {"exhaustive": exhaustive}


def point_annotation(
    annotation_id: int, image_id: int, xy: Sequence[float] | Float32, box: Sequence[float], area: float
) -> dict[str, Any]:
    """An entry of ``annotations``: a point ``(x, y)`` that is seen, with its box ``(x, y, width, height)``."""
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": NODULE["id"],
        "keypoints": [round(float(xy[0]), 2), round(float(xy[1]), 2), 2],
        "num_keypoints": 1,
        "bbox": [round(float(side), 2) for side in box],
        "area": round(float(area), 2),
        "iscrowd": 0,
    }


def coco_file(images: list[dict[str, Any]], annotations: list[dict[str, Any]], description: str) -> dict[str, Any]:
    """The whole of a file."""
    return {
        "info": {"description": description},
        "images": images,
        "annotations": annotations,
        "categories": [NODULE],
    }
