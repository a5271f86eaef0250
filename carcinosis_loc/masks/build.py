"""Frames and COCO files out of pictures and their masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from carcinosis_loc.annotations.images import image_size, list_images, read_image
from carcinosis_loc.annotations.write import coco_file, image_entry, point_annotation
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder, new_folder, write_bytes, write_json
from carcinosis_loc.masks.cuts import Cut
from carcinosis_loc.masks.objects import Objects, read_objects
from carcinosis_loc.points import Letterbox


def sources(image_dir: Path) -> dict[str, Path]:
    """Pictures of a folder and its folders, by name without suffix; files in folders called ``masks`` are none.

    Raises:
        InputError: no picture, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in list_images(image_dir):
        if path.parent.name == "masks":
            continue
        if path.stem in found:
            raise InputError(f"{path}: has the name of {found[path.stem]}; pictures are told apart by their names")
        found[path.stem] = path
    return found


def whole(pictures: Mapping[str, Path]) -> list[Cut]:
    """Each picture as it is, all in one split."""
    cuts = []
    for name, path in pictures.items():
        size = image_size(path)
        cuts.append(Cut(name, f"{name}.png", "train", "", 0, 0, size, size))
    return cuts


def build(
    pictures: Mapping[str, Path],
    cuts: Sequence[Cut],
    out_dir: Path,
    *,
    mask_dir: Path | None = None,
    mask_suffix: str = "",
    min_area_px: int = 1,
    category: str = "nodule",
) -> dict[Path, tuple[int, int]]:
    """Write ``images/`` and ``annotations/{split}_dense.json``; all of it or nothing.

    A point belongs to every window that holds it. Images are exhaustive: what a mask leaves out is background.

    Args:
        pictures: by name.
        cuts: which parts become frames.
        out_dir: a new folder.
        mask_dir: where masks lie, it or its folders: files called ``NAME + mask_suffix``, or folders of that name; None
            for ``masks/`` beside the folder of the picture.
        mask_suffix: see ``mask_dir``.
        min_area_px: smaller objects are left out, source pixels.
        category: name of the objects.

    Returns:
        Of each file its number of images and points.

    Raises:
        InputError: a picture or a mask is missing, cannot be read or does not fit; ``out_dir`` exists.
    """
    if out_dir.exists():
        raise InputError(f"{out_dir}: exists; give a new folder")
    lacking = next((cut for cut in cuts if cut.source not in pictures), None)
    if lacking:
        raise InputError(f"{lacking.file_name}: there is no picture called {lacking.source}")
    masks = {cut.source: _mask_of(pictures[cut.source], mask_dir, mask_suffix) for cut in cuts}
    with new_folder(out_dir) as folder:
        counts = _build(pictures, masks, cuts, folder, min_area_px, category)
    return {out_dir / path.relative_to(folder): count for path, count in counts.items()}


def _build(
    pictures: Mapping[str, Path],
    masks: Mapping[str, Path],
    cuts: Sequence[Cut],
    out_dir: Path,
    min_area_px: int,
    category: str,
) -> dict[Path, tuple[int, int]]:
    make_folder(out_dir / "images")
    files: dict[str, tuple[list[Any], list[Any]]] = {}
    of_source: dict[str, list[Cut]] = {}
    for cut in cuts:
        of_source.setdefault(cut.source, []).append(cut)
    for number, (name, parts) in enumerate(of_source.items(), start=1):
        image = read_image(pictures[name])
        objects = read_objects(masks[name], image.shape[:2], min_area_px)
        for cut in parts:
            write_bytes(out_dir / "images" / cut.file_name, _encoded(image, cut, pictures[name]))
            images, annotations = files.setdefault(cut.split, ([], []))
            _add(images, annotations, objects, cut)
        if number % max(1, len(of_source) // 10) == 0:
            print(f"masks2points {100 * number // len(of_source):3d}%  {number}/{len(of_source)} pictures", flush=True)
    counts = {}
    for split, (images, annotations) in files.items():
        path = out_dir / "annotations" / f"{split}_dense.json"
        content = coco_file(images, annotations, "points are the centroids of masks, by carcloc masks2points")
        content["categories"] = [content["categories"][0] | {"name": category}]
        write_json(path, content)
        counts[path] = len(images), len(annotations)
    return counts


def _mask_of(picture: Path, mask_dir: Path | None, suffix: str) -> Path:
    if mask_dir is None:
        folder = picture.parent.parent / "masks"
        if not folder.is_dir():
            raise InputError(f"{picture}: no folder {folder}; say where the masks are with --mask-dir")
        return folder
    name = picture.stem + suffix
    found = [path for path in sorted(mask_dir.rglob(f"{name}.*")) if path.stem == name]
    found += [path for path in mask_dir.rglob(name) if path.is_dir()]
    if len(found) != 1:
        raise InputError(f"{picture}: {len(found) or 'no'} masks called {name} in {mask_dir}; there must be one")
    return found[0]


def _encoded(image: Any, cut: Cut, picture: Path) -> bytes:
    height, width = cut.window
    window = image[cut.top : cut.top + height, cut.left : cut.left + width]
    if window.shape[:2] != cut.window:
        raise InputError(f"{picture}: is {image.shape[1]} x {image.shape[0]} px; the cut {cut.file_name} reaches out")
    if cut.size != cut.window:
        shrinks = cut.size[0] < height
        window = cv2.resize(window, cut.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if cut.file_name.lower().endswith(".jpg") else []
    done, data = cv2.imencode(Path(cut.file_name).suffix, window[..., ::-1], options)
    assert done
    return bytes(data)


def _add(images: list[Any], annotations: list[Any], objects: Objects, cut: Cut) -> None:
    box = Letterbox(cut.window, cut.size, cut.size)
    corner = np.array([cut.left, cut.top], np.float32)
    edges = np.array([cut.window[1], cut.window[0]], np.float32) - np.float32(0.5)
    local = objects.xy - corner
    inside = ((local >= -0.5) & (local < edges)).all(1)
    entry = image_entry(len(images) + 1, cut.file_name, cut.size, exhaustive=True, group=cut.group or None)
    images.append(entry)
    factor = np.array([cut.size[1] / cut.window[1], cut.size[0] / cut.window[0]])
    for xy, side, area in zip(box.to_network(local[inside]), objects.boxes[inside], objects.areas[inside], strict=True):
        place = (side.astype(np.float64) - [*corner, 0, 0]) * [*factor, *factor]
        annotations.append(
            point_annotation(len(annotations) + 1, entry["id"], xy, place.tolist(), float(area) * factor.prod())
        )
