"""A small data set, drawn and not downloaded: bright discs on noisy red."""

import json

import cv2
import numpy as np


def coco(images, points_of_image, exhaustive=None):
    """A COCO keypoint dictionary: images are (file name, height, width), points lists of (x, y)."""
    entries, annotations = [], []
    for number, (name, height, width) in enumerate(images, 1):
        entry = {"id": number, "file_name": name, "height": height, "width": width}
        entries.append(entry if exhaustive is None else entry | {"exhaustive": exhaustive})
        for x, y in points_of_image[number - 1]:
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "keypoints": [x, y, 2]}
            annotations.append(one | {"num_keypoints": 1, "iscrowd": 0, "bbox": [x - 4, y - 4, 8, 8], "area": 64})
    categories = [{"id": 1, "name": "nodule", "keypoints": ["center"], "skeleton": []}]
    return {"images": entries, "annotations": annotations, "categories": categories}


def draw(points, size, random):
    """Bright discs on noisy red."""
    image = np.full((*size, 3), (150, 60, 50), np.float32) + random.normal(0, 8, (*size, 1)).astype(np.float32)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for x, y in points:
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))[..., None]
        image += spot * np.array([80, 150, 140], np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def draw_spots(folder):
    """Fill a folder with ``images/``, ``train.json`` and ``val.json`` (sparse), ``test.json`` (exhaustive).

    Two sizes of frames, one frame without a point, a point on a border; 64 px, so that a step takes milliseconds.
    """
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 5), ("test", 6)):
        images, dense = [], []
        for number in range(count):
            size = (64, 80) if number % 2 else (64, 64)
            grid = [(x, y) for x in range(8, size[1] - 4, 16) for y in range(8, size[0] - 4, 16)]
            chosen = random.choice(len(grid), 6, replace=False)
            points = [tuple((np.array(grid[i]) + random.uniform(-3, 3, 2)).round(2).tolist()) for i in chosen]
            points = [] if number == 2 else points
            points = [*points, (0.0, 20.5)] if number == 1 else points
            name = f"{split}_{number}.png"
            cv2.imwrite(str(folder / "images" / name), draw(points, size, random)[..., ::-1])
            images.append((name, *size))
            dense.append(points)
        if split == "test":
            (folder / "test.json").write_text(json.dumps(coco(images, dense, exhaustive=True)))
        else:
            (folder / f"{split}.json").write_text(json.dumps(coco(images, [points[:2] for points in dense])))
