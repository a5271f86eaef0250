"""Label files that make no sense: exit code 2, one line, nothing written."""

import os

import pytest
from command_words import assert_refused, change, first_image
from tiny_run import fit_words

from carcinosis_loc.cli import main


def first_annotation(**values):
    def edit(data):
        for key, value in values.items():
            data["annotations"][0].pop(key) if value is None else data["annotations"][0].update({key: value})

    return edit


def point(x, y):
    return first_annotation(keypoints=[x, y, 2])


BAD_LABELS = {
    "no JSON": "{",
    "no object": "[]",
    "no images": lambda d: d.pop("images"),
    "no annotations": lambda d: d.pop("annotations"),
    "twice the same image id": lambda d: d["images"][1].update(id=1),
    "twice the same annotation id": lambda d: d["annotations"][1].update(id=1),
    "unknown image": first_annotation(image_id=999),
    "NaN": point(float("nan"), 3),
    "infinite": point(3, float("inf")),
    "text for a number": point("three", 3),
    "outside": point(64.0, 3),
    "no keypoints": first_annotation(keypoints=None),
    "keypoints of length 4": first_annotation(keypoints=[1, 1, 2, 1]),
    "no file_name": first_image(file_name=None),
    "absolute file_name": first_image(file_name="/etc/hostname"),
    "file_name that leaves": first_image(file_name="../train.json"),
    "a missing image": first_image(file_name="nowhere.png"),
    "an image of another size": first_image(width=63),
    "several categories": lambda d: d["categories"].append({"id": 2, "name": "other"}),
    "no points at all": lambda d: d.update(annotations=[]),
    "no images at all": lambda d: d.update(images=[], annotations=[]),
}


@pytest.mark.parametrize("what", BAD_LABELS)
def test_bad_labels_are_refused_before_anything_is_written(what, spots, tiny, tmp_path, capsys):
    edit = BAD_LABELS[what]
    bad = tmp_path / "bad.json"
    bad.write_text(edit if isinstance(edit, str) else change(spots / "train.json", edit))
    words = fit_words(spots, tiny, tmp_path / "out", "--data.train_json", str(bad))
    assert_refused(main(words), capsys, "nowhere.png" if what == "a missing image" else "")
    assert os.listdir(tmp_path) == ["bad.json"]
