"""What ``carcloc predict`` is given: what is said of it, and what is refused."""

import logging

import cv2
import numpy as np
import pytest
from clips import pictures, write_clip, write_sound

from carcinosis_loc.data.sources import read_source
from carcinosis_loc.errors import InputError


def test_how_much_there_is_is_said(tmp_path, caplog):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    with caplog.at_level(logging.INFO):
        read_source(tmp_path / "a.png", None, allow_symlinks=False)
        write_clip(tmp_path / "v.mp4", pictures(30), fps=10)
        read_source(tmp_path, None, allow_symlinks=False)
        write_clip(tmp_path / "w.mp4", pictures(2), times_s=[0, 90], fps=10)
        read_source(tmp_path, None, allow_symlinks=False)
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == ["predict: 1 image", "predict: 1 video, 3.0 s, and 2 images"]
    assert said[2] == "predict: 2 videos, 1.6 minutes, and 2 images"


@pytest.mark.parametrize("make", [write_sound, lambda path: path.write_text("no picture")], ids=["sound", "text"])
def test_what_is_neither_image_nor_video_is_called_so(make, tmp_path):
    path = tmp_path / "a.wav"
    make(path)
    with pytest.raises(InputError, match=r"a\.wav: is neither an image nor a video that can be read"):
        read_source(path, None, allow_symlinks=False)


def test_a_damaged_image_is_still_called_an_image(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.png: this is no image"):
        read_source(tmp_path / "a.png", None, allow_symlinks=False)
