"""Sparse labels out of dense ones: which points an annotator would have clicked, and how well."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carcinosis_loc.annotations.checks import Coco, checked
from carcinosis_loc.annotations.fields import is_number, shown
from carcinosis_loc.annotations.thinning_rule import Thinning
from carcinosis_loc.errors import InputError

_ATTEMPTS = 200


@dataclass(frozen=True)
class _Point:
    """One ``(x, y, v)`` triple with ``v > 0``: where it stands in the file, and what it weighs."""

    x: float
    y: float
    annotation: int
    triple: int
    weight: float

    def order(self) -> tuple[float, ...]:
        return self.x, self.y, self.annotation, self.triple


def thin(coco: Any, *, source: str = "labels", **how: Any) -> Coco:
    """Thin a COCO keypoint dictionary; a new one is returned and the given one stays as it is.

    Every triple with ``v > 0`` is one point. Points that are not kept get ``v = 0``; an annotation with none left
    goes, ignore regions (``iscrowd: 1``) stay. All images stay and are no longer exhaustive, but for those that
    ``fewer_are_whole`` and ``some_whole`` name. What is kept on an image depends on the seed, the image's id and its
    points, not on the order of the annotations or, but for ``some_whole``, on other images; with the same seed a
    smaller ``per_frame`` or ``keep_share`` (without ``some_whole``), and a smaller ``some_whole`` with all else alike,
    keeps a subset of what a larger one keeps.

    Args:
        coco: what ``json.load`` gives.
        source: how messages call it, its file name say.
        how: the arguments of ``Thinning``.

    Raises:
        InputError: no COCO keypoint file, impossible arguments, or fewer images than ``some_whole`` on which points
            are left out.
    """
    rule = Thinning(**how)
    file = checked(coco, source)
    annotations = {annotation["id"]: annotation for annotation in file["annotations"]}
    points = _points_by_image(file, source, rule.conspicuous_first)
    ignore = [annotation for annotation in file["annotations"] if annotation.get("iscrowd")]
    kept: list[dict[str, Any]] = [dict(annotation) for annotation in ignore]
    false: list[dict[str, Any]] = []
    images = []
    in_full = _in_full(file, points, rule, source)
    for image in file["images"]:
        found = points[image["id"]]
        order, jitter, fancy = _streams(rule.seed, image["id"])
        chosen = found if image["id"] in in_full else _choose(found, rule, order)
        kept += _rewritten(chosen, annotations, image, rule.jitter_px, jitter)
        false += _false_points(len(chosen), found, file, image, rule, fancy)
        whole = (rule.fewer_are_whole and len(chosen) == len(found) < (rule.per_frame or 0)) or image["id"] in in_full
        images.append(image | {"exhaustive": whole and image.get("exhaustive") is not False})
    first = 1 + max(annotations, default=0)
    false = [annotation | {"id": first + i} for i, annotation in enumerate(false)]
    position = {image["id"]: i for i, image in enumerate(file["images"])}
    kept.sort(key=lambda annotation: (position[annotation["image_id"]], annotation["id"]))
    return file | {"images": images, "annotations": kept + false}


def count_points(coco: Coco) -> int:
    """Number of triples with ``v > 0``, ignore regions left out."""
    return sum(
        sum(v > 0 for v in annotation["keypoints"][2::3])
        for annotation in coco["annotations"]
        if not annotation.get("iscrowd")
    )


def _points_by_image(file: Coco, source: str, weigh: bool) -> dict[int, list[_Point]]:
    labelled = [annotation for annotation in file["annotations"] if not annotation.get("iscrowd")]
    key = _weight_key(labelled, source) if weigh else None
    points: dict[int, list[_Point]] = {image["id"]: [] for image in file["images"]}
    for annotation in labelled:
        weight = float(annotation[key]) if key else 0.0
        for i, (x, y, v) in enumerate(_triples(annotation["keypoints"])):
            if v > 0:
                points[annotation["image_id"]].append(_Point(float(x), float(y), annotation["id"], i, weight))
    if key:
        _check_ranks(points, key, source)
    return {image_id: sorted(on_image, key=_Point.order) for image_id, on_image in points.items()}


def _weight_key(annotations: list[dict[str, Any]], source: str) -> str:
    """The first key that all annotations have; two scales in one ranking would mean nothing."""
    lacking = {}
    for key in ("conspicuity", "area"):
        wrong = next((a for a in annotations if a.get(key) is not None and not is_number(a[key])), None)
        if wrong:
            what = f"'{key}' is {shown(wrong[key])}, which is no finite number"
            raise InputError(f"{source}: annotation {wrong['id']}: {what}; correct it")
        lacking[key] = [a["id"] for a in annotations if not is_number(a.get(key))]
        if not lacking[key]:
            return key
    raise InputError(
        f"{source}: conspicuous_first needs a conspicuity or an area on every annotation; annotation "
        f"{lacking['conspicuity'][0]} has no conspicuity and annotation {lacking['area'][0]} no area; add them, "
        "measure it in the images with image_dir, or leave conspicuous_first out"
    )


def _check_ranks(points: Mapping[int, list[_Point]], key: str, source: str) -> None:
    """Refuse weights by which chance alone would decide."""
    several = [on_image for on_image in points.values() if len(on_image) > 1]
    if several and all(len({point.weight for point in on_image}) == 1 for on_image in several):
        raise InputError(
            f"{source}: conspicuous_first has nothing to go by: '{key}' is {shown(several[0][0].weight)} on all points "
            "of an image; measure in the images (image_dir, another object_radius_px), or leave conspicuous_first out"
        )


def _triples(keypoints: list[Any]) -> Iterator[tuple[Any, Any, Any]]:
    return zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True)


def _streams(seed: int, image_id: int) -> list[np.random.Generator]:
    """Three streams of an image's own, so that asking for jitter does not change which points are kept."""
    key = (image_id & 0xFFFFFFFFFFFFFFFF,)  # negative ids too
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed, spawn_key=key).spawn(3)]


def _choose(points: list[_Point], rule: Thinning, rng: np.random.Generator) -> list[_Point]:
    """Go through the points from the best to the worst and keep those that may stay, until there are enough."""
    chance = rng.permutation(len(points))
    ranked = [points[i] for i in chance]
    if rule.conspicuous_first:
        ranked.sort(key=lambda point: -point.weight)  # stable: chance settles ties
    limit = len(points)
    if rule.per_frame is not None:
        limit = rule.per_frame
    elif rule.keep_share is not None:
        limit = _round_by_chance(rule.keep_share * len(points), rng)
    gap = rule.one_per_cluster_px
    kept: list[_Point] = []
    for point in ranked:
        if len(kept) >= limit:
            break
        if gap is None or all(math.hypot(point.x - k.x, point.y - k.y) >= gap for k in kept):
            kept.append(point)
    return kept


def _in_full(file: Coco, points: Mapping[int, list[_Point]], rule: Thinning, source: str) -> set[int]:
    """Ids of the images that ``some_whole`` draws."""
    if not rule.some_whole:
        return set()
    wrong = next((one for one in file["images"] if not isinstance(one.get("exhaustive"), bool | None)), None)
    if wrong:
        raise InputError(
            f"{source}: image id {wrong['id']}: 'exhaustive' is {shown(wrong['exhaustive'])}, not true or false"
        )
    candidates = sorted(image["id"] for image in file["images"] if image.get("exhaustive") is not False)
    ids = [i for i in candidates if len(_choose(points[i], rule, _streams(rule.seed, i)[0])) < len(points[i])]
    if len(ids) < rule.some_whole:
        raise InputError(
            f"{source}: some_whole is {rule.some_whole}; points are left out on {len(ids)} of the images alone"
        )
    return {ids[place] for place in np.random.default_rng(rule.seed).permutation(len(ids))[: rule.some_whole]}


def _round_by_chance(value: float, rng: np.random.Generator) -> int:
    """Up or down, so that the mean is ``value``."""
    return math.floor(value + rng.random())


def _rewritten(
    chosen: list[_Point],
    annotations: dict[int, dict[str, Any]],
    image: dict[str, Any],
    jitter_px: float,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """The annotations of the chosen points; their other triples are blanked."""
    by_annotation = defaultdict(list)
    for point in sorted(chosen, key=_Point.order):
        by_annotation[point.annotation].append((point, _moved(point, image, jitter_px, rng)))
    for annotation_id, points in by_annotation.items():
        annotation = annotations[annotation_id]
        keypoints: list[Any] = [0] * len(annotation["keypoints"])
        for point, (x, y) in points:
            at = 3 * point.triple
            keypoints[at : at + 3] = [x, y, annotation["keypoints"][at + 2]]
        new = annotation | {"keypoints": keypoints, "num_keypoints": len(points)}
        if jitter_px > 0:
            # a box around the true place would give it away
            new.pop("bbox", None)
            new.pop("segmentation", None)
        yield new


def _moved(point: _Point, image: dict[str, Any], jitter_px: float, rng: np.random.Generator) -> tuple[float, float]:
    if jitter_px == 0:
        return point.x, point.y
    dx, dy = rng.normal(0, jitter_px, 2)
    return _onto(point.x + dx, image["width"]), _onto(point.y + dy, image["height"])


def _onto(value: float, side: int) -> float:
    return round(min(max(float(value), 0.0), side - 1.0), 2)


def _false_points(
    n_kept: int, true: list[_Point], file: Coco, image: dict[str, Any], rule: Thinning, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Points where nothing is, evenly over the image; fewer than asked for where there is no room."""
    category = file["categories"][0]
    length = 3 * max(1, len(category.get("keypoints") or []))
    taken = np.array([(point.x, point.y) for point in true]).reshape(-1, 2)
    extent = np.array([image["width"] - 1, image["height"] - 1])
    for _ in range(_round_by_chance(rule.false_share * n_kept, rng)):
        for _ in range(_ATTEMPTS):
            xy = np.round(rng.uniform(0, 1, 2) * extent, 2)
            if (np.hypot(*(taken - xy).T) >= rule.false_distance_px).all():
                keypoints = [float(xy[0]), float(xy[1]), 2] + [0] * (length - 3)
                yield {
                    "image_id": image["id"],
                    "category_id": category["id"],
                    "keypoints": keypoints,
                    "num_keypoints": 1,
                    "iscrowd": 0,
                    "false_point": True,
                }
                break
