"""Names in a label file cannot leave the image folder, whatever they are written in."""

import json
import os

import cv2
import numpy as np
import pytest

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.file_names import FileNameError, image_path
from carcinosis_loc.errors import InputError

TRICKS = [
    *("../secret.png", "sub/../../secret.png", "./../secret.png", "sub//..//../secret.png", "..", "../", "...."),
    *("..\\secret.png", "sub\\..\\..\\secret.png", "..\\/secret.png", "\\secret.png", "\\\\host\\share\\secret.png"),
    *("//host/share/secret.png", "\\\\?\\C:\\secret.png", "C:secret.png", "C:/secret.png", "c:\\secret.png"),
    *("file:secret.png", "file:///secret.png", "file://localhost/secret.png", "http://localhost/secret.png"),
    *("https://localhost/secret.png", "s3://bucket/secret.png", "zip://a.zip!secret.png", "data:image/png;base64,AAAA"),
    *("secret.png\0", "a.png\0/../../secret.png", "\0", "a\0b"),
    *("%2e%2e/secret.png", "%2e%2e%2fsecret.png", "..%2fsecret.png", "..%c0%afsecret.png", "%252e%252e/secret.png"),
    *(
        "．．/secret.png",
        "‥/secret.png",
        "․․/secret.png",
        "..∕secret.png",
        "..⁄secret.png",
        "..／secret.png",
        "..＼secret.png",
    ),
    *("\ud800/../secret.png", "\u202e/../secret.png", "..\u200b/secret.png", "\ufeff../secret.png", " ../secret.png"),
    *("~/secret.png", "~root/secret.png", "$HOME/secret.png", "$(cat secret.png)", "`secret.png`", "|secret.png"),
    *(
        "link/secret.png",
        "link_to_file.png",
        "deep/link/secret.png",
        "link/../secret.png",
        "/proc/self/root/secret.png",
    ),
]


@pytest.fixture
def folder(tmp_path):
    """An image folder with links that lead out of it, beside a picture that must not be found."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    (images / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "secret.png"), np.zeros((5, 5, 3), np.uint8))
    (images / "link").symlink_to(tmp_path)
    (images / "deep" / "link").symlink_to("../..")
    (images / "link_to_file.png").symlink_to(tmp_path / "secret.png")
    return images


def labels(tmp_path, name):
    path = tmp_path / "labels.json"
    image = {"id": 1, "file_name": name, "width": 5, "height": 5}
    path.write_text(json.dumps({"images": [image], "annotations": [], "categories": []}))
    return path


@pytest.mark.parametrize("trick", [*TRICKS, "ABSOLUTE"])
def test_no_name_leads_out(trick, folder, tmp_path):
    name = str(tmp_path / "secret.png") if trick == "ABSOLUTE" else trick
    with pytest.raises(InputError) as refused:
        read_coco(labels(tmp_path, name), folder)
    assert str(refused.value).isprintable()
    try:
        path = image_path(folder, name, allow_symlinks=False)
    except FileNameError:
        return
    assert os.path.realpath(path).startswith(
        str(folder) + os.sep
    )  # no trick at all: a plain, if odd, name in the folder


def test_a_decomposed_name_is_another_file(folder, tmp_path):
    """No normal form is looked for: what a label file says is what is opened."""
    cv2.imwrite(str(folder / "\u00e9.png"), np.zeros((5, 5, 3), np.uint8))
    assert len(read_coco(labels(tmp_path, "\u00e9.png"), folder)) == 1
    with pytest.raises(InputError, match="no such image"):
        read_coco(labels(tmp_path, "e\u0301.png"), folder)


def test_a_name_cannot_write_on_the_terminal(folder, tmp_path):
    with pytest.raises(InputError) as refused:
        read_coco(labels(tmp_path, "\x1b[2J\x1b]0;owned\x07\u202e.png"), folder)
    assert str(refused.value).isprintable()
    assert "\\x1b[2J" in str(refused.value)
