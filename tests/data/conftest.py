import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_split(tmp_path):
    """Write frames of random pixels and their label file; gives the file. ``sizes`` are (height, width)."""

    def make_split(name, sizes, points_each=2, **fields):
        generator = np.random.default_rng(len(sizes))
        images, annotations = [], []
        (tmp_path / "images").mkdir(exist_ok=True)
        for number, (height, width) in enumerate(sizes, 1):
            file_name = f"{name}_{number}.png"
            pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / file_name)
            images.append({"id": number, "file_name": file_name, "width": width, "height": height, **fields})
            for _ in range(points_each):
                xy = [int(generator.integers(width)), int(generator.integers(height))]
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "keypoints": [*xy, 2]}
                )
        path = tmp_path / f"{name}.json"
        categories = [{"id": 1, "name": "nodule"}]
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return str(path)

    return make_split


@pytest.fixture
def image_dir(tmp_path):
    return str(tmp_path / "images")
