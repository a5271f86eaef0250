"""The only reader of label files: COCO keypoint JSON to frames.

What counts, by the flag ``v`` of an ``(x, y, v)`` triple:

======  =======================================================
``v``   meaning
======  =======================================================
0       no label; x and y are not used
> 0     one labelled point (COCO's 1 is hidden, 2 is visible)
======  =======================================================

An annotation may hold one triple or many. ``iscrowd: 1`` marks an ignore region by ``segmentation`` or ``bbox``;
any other annotation needs ``keypoints``. Boxes and areas are never required. Images without annotation are frames.
"""

import io
from array import array
from collections.abc import Container, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from tqdm import tqdm

from carcinosis_loc.annotations.document import Document
from carcinosis_loc.annotations.fields import Entry, by_id, entries, shown
from carcinosis_loc.annotations.file_names import FileNameError, image_path
from carcinosis_loc.annotations.images import MOST_PIXELS, image_size
from carcinosis_loc.annotations.regions import region_polygons
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32, Frame, Points, Size

_FRAME_KEYS = frozenset({"id", "file_name", "width", "height", "exhaustive", "group"})


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the annotations of an image say: x, y, x, y, ... of its points, and its ignore regions."""

    xy: "array[float]" = field(default_factory=lambda: array("f"))
    ignore: list[Float32] = field(default_factory=list)


def read_coco(
    json_path: str | Path,
    image_dir: str | Path,
    *,
    category: str | None = None,
    allow_symlinks: bool = False,
    check_images: bool = True,
    with_labels: bool = True,
) -> list[Frame]:
    """Read and validate a COCO keypoint file; frames come in the order of its images.

    The file is validated before pycocotools indexes it (pycocotools takes duplicate ids and NaN for good). The
    time is linear in the size of the file, and the memory about twice that.

    Args:
        json_path: the label file.
        image_dir: the folder that ``file_name`` is relative to; it may be a link.
        category: name (or else id) of the category whose annotations count; a file with one needs no choice.
        allow_symlinks: let links inside ``image_dir`` lead out of it.
        check_images: open every image's header and compare its size with the label file's.
        with_labels: False reads the list of images only; the file then needs no annotations or categories.

    Raises:
        InputError: anything wrong with the file or, if asked to look, with an image's name, header or size.
    """
    json_path, image_dir = Path(json_path), Path(image_dir)
    document = Document(json_path)
    images = by_id(entries(document.fields, "images", json_path))
    sizes = {key: _size(image) for key, image in images.items()}
    paths = _paths(images, image_dir, allow_symlinks)
    labels = _read_labels(document, sizes, category) if with_labels else {}
    index = _index({"images": document.fields["images"]})
    frames = [_frame(images[key], paths[key], sizes[key], labels.get(key, _Labels())) for key in index.getImgIds()]
    if check_images:
        _check_images(images.values(), frames, image_dir)
    return frames


def _size(image: Entry) -> Size:
    """Height and width as the label file says; ignore regions are drawn at that size before any image is opened."""
    height, width = image.integer("height", 1), image.integer("width", 1)
    if height * width > MOST_PIXELS:
        raise image.error(f"{width} x {height} pixels are more than any image that can be read has")
    return height, width


def _index(document: dict[str, Any]) -> COCO:
    """Index validated data with pycocotools, which would otherwise print."""
    coco = COCO()
    coco.dataset = document
    with redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _paths(images: dict[int, Entry], image_dir: Path, allow_symlinks: bool) -> dict[int, Path]:
    """Paths by image id; each file must be named once."""
    paths: dict[int, Path] = {}
    first_use: dict[PurePosixPath, int] = {}
    for key, image in images.items():
        try:
            paths[key] = image_path(image_dir, image.required("file_name"), allow_symlinks=allow_symlinks)
        except FileNameError as error:
            raise image.error(str(error)) from error
        name = PurePosixPath(image.fields["file_name"])
        other = first_use.setdefault(name, key)
        if other != key:
            raise image.error(f'"file_name" {shown(str(name))} is also that of image id {other}; name it once')
    return paths


def _read_labels(document: Document, sizes: dict[int, Size], category: str | None) -> dict[int, _Labels]:
    """Labels by image id, in the order of the annotations; of the chosen category alone."""
    categories = by_id(entries(document.fields, "categories", document.path))
    chosen = _choose_category(categories, category, document.path)
    labels: dict[int, _Labels] = {}
    ids = array("q")
    for annotation in document.annotations():
        ids.append(annotation.integer("id"))
        _check_references(annotation, sizes, categories)
        if annotation.fields["category_id"] == chosen:
            image_id = annotation.fields["image_id"]
            _add_labels(labels.setdefault(image_id, _Labels()), annotation, sizes[image_id])
    if len(np.unique(np.frombuffer(ids, np.int64))) < len(ids):
        by_id(document.annotations())  # which says which of them occurs twice
    return labels


def _check_references(annotation: Entry, images: Container[int], categories: Container[int]) -> None:
    if annotation.integer("image_id") not in images:
        raise annotation.error(f'"image_id" {annotation.fields["image_id"]} is not the id of any image')
    if annotation.integer("category_id") not in categories:
        raise annotation.error(f'"category_id" {annotation.fields["category_id"]} is not the id of any category')


def _choose_category(categories: dict[int, Entry], wanted: str | None, source: Path) -> int | None:
    """Id of the category to read; None if the file has no category, and so no annotation."""
    names: dict[str, int] = {}
    for key, category in categories.items():
        name = category.required("name")
        if type(name) is not str or name in names:
            raise category.error(f'"name" must be a text that occurs once, not {shown(name)}')
        names[name] = key
    listed = ", ".join(f"{shown(name)} (id {key})" for name, key in list(names.items())[:20]) or "none"
    if wanted is not None:
        ids = {str(key): key for key in names.values()}
        chosen = names.get(wanted, ids.get(wanted))
        if chosen is None:
            raise InputError(f"{source}: there is no category {shown(wanted)}; data.category must be of: {listed}")
        return chosen
    if len(names) > 1:
        raise InputError(f"{source}: the file has several categories; set data.category to one of: {listed}")
    return next(iter(categories), None)


def _add_labels(labels: _Labels, annotation: Entry, size: Size) -> None:
    crowd = annotation.fields.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise annotation.error(f'"iscrowd" must be 0 or 1, not {shown(crowd)}')
    if not crowd and "keypoints" not in annotation.fields:
        raise annotation.error('the key "keypoints" is missing; only ignore regions ("iscrowd": 1) go without')
    if "keypoints" in annotation.fields:
        for point in _labelled_points(annotation, size):
            labels.xy.extend(point)
    if crowd:
        labels.ignore.extend(region_polygons(annotation, size))


def _labelled_points(annotation: Entry, size: Size) -> list[tuple[float, float]]:
    flat = annotation.numbers("keypoints", annotation.fields["keypoints"])
    if len(flat) % 3:
        raise annotation.error(f'"keypoints" must be x, y, v triples; {len(flat)} numbers are no multiple of 3')
    right, bottom = size[1] - 0.5, size[0] - 0.5
    points = []
    for x, y, v in zip(flat[0::3], flat[1::3], flat[2::3], strict=True):
        if v < 0:
            raise annotation.error(f'"keypoints" holds the flag v = {v}; it must be 0, 1 or 2')
        if v == 0:
            continue
        if not (-0.5 <= x <= right and -0.5 <= y <= bottom):
            raise annotation.error(
                f'"keypoints" holds the point ({x}, {y}), outside the image of {size[1]} x {size[0]} pixels'
            )
        points.append((x, y))
    return points


def _frame(image: Entry, path: Path, size: Size, labels: _Labels) -> Frame:
    fields = image.fields
    exhaustive, group = fields.get("exhaustive"), fields.get("group")
    if "exhaustive" in fields and type(exhaustive) is not bool:
        raise image.error(f'"exhaustive" must be true or false, not {shown(exhaustive)}')
    if "group" in fields and (type(group) not in (str, int) or group == ""):
        raise image.error(f'"group" must be a text or an integer, not {shown(group)}')
    return Frame(
        image_id=fields["id"],
        file_name=fields["file_name"],
        path=path,
        size=size,
        points=Points(np.array(labels.xy, np.float32).reshape(-1, 2)),
        ignore=tuple(labels.ignore),
        exhaustive=exhaustive,
        group=None if group is None else str(group),
        extra={key: value for key, value in fields.items() if key not in _FRAME_KEYS},
    )


def _check_images(images: Iterable[Entry], frames: list[Frame], image_dir: Path) -> None:
    """Compare every header with the label file; a bar appears where that takes more than two seconds."""
    if not image_dir.is_dir():
        raise InputError(f"{image_dir}: there is no such image folder; set data.image_dir")
    progress = tqdm(frames, desc="checking images", unit="image", delay=2, leave=False, disable=None)
    for image, frame in zip(images, progress, strict=True):
        try:
            size = image_size(frame.path)
        except InputError as error:
            raise image.error(f'"file_name" {shown(frame.file_name)}: {error}') from error
        if size != frame.size:
            raise image.error(
                f"{frame.path} has {size[1]} x {size[0]} pixels (EXIF orientation obeyed), "
                f'but "width" and "height" say {frame.size[1]} x {frame.size[0]}'
            )
