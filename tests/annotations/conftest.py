import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def labels():
    """A sound label file: image 1 with two annotations (three points), image 2 with none."""
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "sub/b.png", "width": 20, "height": 10},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "keypoints": [5, 6.5, 2, 0, 0, 0, 39.5, -0.5, 1]},
            {"id": 2, "image_id": 1, "category_id": 7, "keypoints": [10, 11, 1], "iscrowd": 0},
        ],
        "categories": [{"id": 7, "name": "nodule"}],
    }


@pytest.fixture
def image_dir(tmp_path):
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "a.png")
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(folder / "sub" / "b.png")
    return folder


@pytest.fixture
def write(tmp_path):
    def write(document, name="labels.json"):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write
