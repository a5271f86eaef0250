"""Label files that are nearly right, and bytes that are nearly JSON."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fuzz import SUCCESS, Family, outcome, outcome_of_command
from sources import Source

from carcinosis_loc.annotations.coco import read_coco

SIZES = {"a.png": (30, 40), "b.png": (64, 64), "sub/c.png": (1, 1)}
TRICKS = ["../a.png", "/etc/passwd", "..\\a.png", "C:a.png", "\\\\host\\share\\a.png", "a\0.png", "file:///etc/passwd"]
TRICKS += ["http://localhost/a.png", "．．/a.png", "‥/a.png", "sub/../../a.png", "out/a.png", "~/a.png", "a.png\n", "."]
TRICKS += ["\u202egnp.a", "\x1b[2J.png", "a.png/", "a.png/..", "$(id).png", "%2e%2e/a.png", "con.png", "./a.png", "-rf"]
HUGE = [(8000, 8000), (10**5, 10**5), (10**6, 10**6), (1, 10**12)]
_LETTERS = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ`abcdefghijklmno"


def labels(source: Source) -> tuple[str, bytes]:
    """What is done with a label file, and its content."""
    document: Any = source.lacking(
        {
            "images": source.mostly(_listed(source, _image, 3)),
            "annotations": source.mostly(_listed(source, _annotation, 5)),
            "categories": source.mostly(
                [source.mostly({"id": 1, "name": "nodule"}) for _ in range(_one_or(source, 2))]
            ),
        }
    )
    text = json.dumps(source.mostly(document)).encode("utf-8", "surrogatepass")
    if source.one_in(60):
        text = text.decode("utf-8", "replace").encode("utf-16")
    how = source.pick(["read", "read", "list", "thin", "conspicuous"])
    return how, source.damaged(text, one_in=5)


def _one_or(source: Source, other: int) -> int:
    return other if source.one_in(40) else 1


def _listed(source: Source, make: Any, most: int) -> list[Any]:
    made = [source.mostly(make(source, number)) for number in range(1, source.integer(1, most) + 1)]
    return made + made[:1] if source.one_in(60) else made


def _image(source: Source, number: int) -> dict[str, Any]:
    name = sorted(SIZES)[(number - 1) % 3]
    height, width = source.pick(HUGE) if number == 1 and source.one_in(30) else SIZES[name]
    entry = {
        "id": source.mostly(number),
        "file_name": source.pick(TRICKS) if source.one_in(25) else source.mostly(name),
        "height": source.mostly(height),
        "width": source.mostly(width),
    }
    if source.one_in(4):
        entry |= {"exhaustive": source.mostly(True, 10), "group": source.mostly("p1", 10), "more": source.odd()}
    return source.lacking(entry)


def _annotation(source: Source, number: int) -> dict[str, Any]:
    triples = source.many(lambda: (_place(source), _place(source), source.mostly(source.integer(0, 2), 80)), 4)
    entry = {
        "id": source.mostly(number),
        "image_id": source.mostly(1),
        "category_id": source.mostly(1),
        "keypoints": source.mostly([value for triple in triples for value in triple], 40),
        "area": source.mostly(source.number(0, 90)),
    }
    if source.one_in(3):
        entry |= {"iscrowd": source.mostly(1, 10), "bbox": source.mostly([1, 2, _place(source), 3], 10)}
    if source.one_in(3):
        entry |= {"segmentation": source.mostly(_segmentation(source), 10)}
    if source.one_in(10):
        del entry["keypoints"]
    return source.lacking(entry)


def _place(source: Source) -> Any:
    return source.mostly(source.pick([source.number(0, 29), source.number(0, 29), -0.5, 29.5, 30, 1e-320]), 80)


def _segmentation(source: Source) -> Any:
    if source.one_in(2):
        return source.many(lambda: [_place(source) for _ in range(source.pick([6, 6, 8, 5]))], 2)
    counts: Any = source.pick([[0, 1200], [600, 600], [1200], [10**10], [10**12], [5, -5, 1200], "0`T1", "T`1", "l0b0"])
    counts = source.text(_LETTERS, 12) if source.one_in(4) else counts
    size: Any = source.pick([[30, 40], [30, 40], [64, 64]])
    if source.one_in(3):
        size = list(source.pick(HUGE))
        counts = [size[0] * size[1] // 3] * 3 + [size[0] * size[1] % 3]
    return {"size": source.mostly(size, 20), "counts": source.mostly(counts, 20)}


def image_folder(folder: Path) -> Path:
    """A folder of small images, with a link that leads out of it."""
    images = folder.parent / "label_images"
    if not images.exists():
        (images / "sub").mkdir(parents=True)
        (folder.parent / "a.png").write_bytes(b"outside")
        (images / "out").symlink_to(folder.parent)
        for name, size in SIZES.items():
            cv2.imwrite(str(images / name), np.zeros((*size, 3), np.uint8))
    return images


def attempt(case: tuple[str, bytes], folder: Path) -> str:
    """Read labels as training does, as a list of images, or thin them."""
    how, content = case
    images, path = image_folder(folder), folder / "labels.json"
    path.write_bytes(content)
    if how in ("thin", "conspicuous"):
        out = folder / "out.json"
        more = ["--jitter-px", "2", "--false-share", "1", "--seed", "3"] if how == "thin" else ["--conspicuous-first"]
        ended = outcome_of_command(["thin", str(path), str(out), "--per-frame", "2", *more])
        assert out.exists() == (ended == SUCCESS), "half a result"
        return ended
    frames: list[Any] = []
    ended = outcome(lambda: frames.extend(read_coco(path, images, with_labels=how == "read")))
    for frame in frames:
        assert frame.path.resolve().is_relative_to(images.resolve()), f"{frame.path} lies outside"
    return ended


FAMILIES = [Family("labels", labels, attempt)]
