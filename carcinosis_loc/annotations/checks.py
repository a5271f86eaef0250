"""The least that a COCO keypoint file must have to be worked on as a plain dictionary."""

from typing import Any

from carcinosis_loc.annotations.fields import LARGEST_NUMBER, is_number, shown
from carcinosis_loc.errors import InputError

Coco = dict[str, Any]


def checked(coco: Any, source: str) -> Coco:
    """Give ``coco`` back if it has the shape of a COCO keypoint file.

    Raises:
        InputError: it has not; the message names ``source``, the entry and the key.
    """
    if not isinstance(coco, dict):
        raise InputError(f"{source}: holds no JSON object at the top; name a COCO keypoint file")
    for key in ("images", "annotations", "categories"):
        if not isinstance(coco.get(key), list) or not all(isinstance(entry, dict) for entry in coco[key]):
            raise InputError(f"{source}: '{key}' must be there and be a list of objects; name a COCO keypoint file")
    if not coco["categories"] or "id" not in coco["categories"][0]:
        raise InputError(f"{source}: 'categories' must hold a category with an id; add one")
    if not isinstance(coco["categories"][0].get("keypoints") or [], list):
        raise InputError(
            f"{source}: category {shown(coco['categories'][0]['id'])}: 'keypoints' must be a list of names"
        )
    image_ids = _ids(coco["images"], source, "image")
    _ids(coco["annotations"], source, "annotation")
    for image in coco["images"]:
        for key in ("width", "height"):
            if not _is_whole(image.get(key)) or not 1 <= image[key] <= LARGEST_NUMBER:
                raise InputError(f"{source}: image {image['id']} has no whole, positive '{key}'; add it in pixels")
    for annotation in coco["annotations"]:
        if not _is_whole(annotation.get("image_id")) or annotation["image_id"] not in image_ids:
            raise InputError(
                f"{source}: annotation {annotation['id']} has image_id {shown(annotation.get('image_id'))}, "
                f"which is no image's id; correct it"
            )
        if not annotation.get("iscrowd"):
            _check_keypoints(annotation, source)
    return coco


def _ids(entries: list[Any], source: str, what: str) -> set[int]:
    seen: set[int] = set()
    for position, entry in enumerate(entries):
        if not _is_whole(entry.get("id")) or abs(entry["id"]) > LARGEST_NUMBER:
            raise InputError(f"{source}: {what} number {position} in its list has no whole 'id'; add one")
        if entry["id"] in seen:
            raise InputError(f"{source}: {what} id {entry['id']} is there twice; ids must differ")
        seen.add(entry["id"])
    return seen


def _check_keypoints(annotation: dict[str, Any], source: str) -> None:
    where = f"{source}: annotation {annotation['id']}"
    keypoints = annotation.get("keypoints")
    if not isinstance(keypoints, list):
        raise InputError(f"{where} has no list 'keypoints'; add x, y, v for each of its points")
    if len(keypoints) % 3:
        raise InputError(f"{where}: 'keypoints' has {len(keypoints)} numbers, no multiple of 3; give x, y, v each")
    for value in keypoints:
        if not is_number(value):
            raise InputError(f"{where}: 'keypoints' holds {shown(value)}, which is no finite number; correct it")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
