"""Ignore regions of a label file (``iscrowd: 1``) as polygons: from boxes, polygons and run lengths."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.annotations.fields import Entry, shown
from carcinosis_loc.points import Float32, Size, rescale

Mask = npt.NDArray[np.uint8]


def region_polygons(entry: Entry, size: Size) -> tuple[Float32, ...]:
    """Polygons ``(M, 2)`` in image pixels of the region that ``entry`` marks in an image of ``size``.

    A ``segmentation`` (list of polygons, or run lengths as a list or as COCO's compressed string) goes before
    the ``bbox``. Coordinates are taken as they stand: pixel centres at integers.

    Raises:
        InputError: neither is there, or what is there is malformed or far outside the image.
    """
    segmentation = entry.fields.get("segmentation")
    if isinstance(segmentation, dict):
        return mask_polygons(_decode(entry, segmentation, size))
    if segmentation:
        return _listed_polygons(entry, segmentation, size)
    if entry.fields.get("bbox"):
        return (_box_polygon(entry, size),)
    raise entry.error('"iscrowd" is 1, so it needs a "bbox" or a "segmentation"')


def mask_polygons(mask: Mask) -> tuple[Float32, ...]:
    """Polygons whose insides (by the even-odd rule) hold exactly the pixel centres where ``mask`` is not 0.

    Holes are kept: a polygon with holes is one line that visits them over bridges of no width.
    """
    # On a grid twice as fine, an outline runs a quarter of a pixel outside the pixel centres, never through them.
    fine = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    outlines, tree = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for index, outline in enumerate(outlines):
        _, _, hole, parent = np.reshape(tree, (-1, 4))[index]
        if parent >= 0:
            continue
        ring = _closed(outline)
        start = ring[:1]
        while hole >= 0:
            ring = np.concatenate([ring, _closed(outlines[hole]), start])
            hole = np.reshape(tree, (-1, 4))[hole][0]
        polygons.append(rescale(ring.astype(np.float32), 0.5))
    return tuple(polygons)


def _closed(outline: npt.NDArray[Any]) -> npt.NDArray[Any]:
    points = np.reshape(outline, (-1, 2))
    return np.concatenate([points, points[:1]])


def _box_polygon(entry: Entry, size: Size) -> Float32:
    box = entry.numbers("bbox", entry.fields["bbox"])
    if len(box) != 4 or box[2] <= 0 or box[3] <= 0:
        raise entry.error(f'"bbox" must be [x, y, width, height] with a positive size, not {shown(box)}')
    x, y, width, height = box
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return _polygon(entry, "bbox", corners, size)


def _listed_polygons(entry: Entry, segmentation: Any, size: Size) -> tuple[Float32, ...]:
    if type(segmentation) is not list:
        raise entry.error(f'"segmentation" must be polygons or run lengths, not {shown(segmentation)}')
    polygons = []
    for number, polygon in enumerate(segmentation):
        key = f"segmentation[{number}]"
        flat = entry.numbers(key, polygon)
        if len(flat) < 6 or len(flat) % 2:
            raise entry.error(f'"{key}" must hold x, y pairs of at least 3 points, not {len(flat)} numbers')
        polygons.append(_polygon(entry, key, flat, size))
    return tuple(polygons)


def _polygon(entry: Entry, key: str, flat: list[float], size: Size) -> Float32:
    polygon = np.array(flat, np.float64).reshape(-1, 2)
    extent = np.array([size[1], size[0]])
    if (polygon < -extent).any() or (polygon > 2 * extent).any():
        raise entry.error(f'"{key}" lies far outside the image of {size[1]} x {size[0]} pixels')
    return polygon.astype(np.float32)


def _decode(entry: Entry, run_lengths: dict[str, Any], size: Size) -> Mask:
    """The mask ``(H, W)`` of run lengths, which alternate 0 and 1 down the columns, left to right."""
    if run_lengths.get("size") != list(size):
        raise entry.error(
            f'"segmentation.size" must be the image\'s [height, width] {list(size)}, '
            f"not {shown(run_lengths.get('size'))}"
        )
    counts = run_lengths.get("counts")
    if isinstance(counts, str):
        counts = _decompress(counts)
    if type(counts) is not list or not all(type(count) is int and count >= 0 for count in counts):
        raise entry.error('"segmentation.counts" must be run lengths: whole numbers, or COCO\'s string of them')
    if sum(counts) != size[0] * size[1]:
        raise entry.error(f'"segmentation.counts" must add up to {size[0] * size[1]} pixels, not {sum(counts)}')
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values, counts).reshape(size[1], size[0]).T)


def _decompress(text: str) -> list[int] | None:
    """Run lengths out of COCO's string: 5 bits a character, differences from the third on; None if malformed."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            return None
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts if shift == 0 else None
