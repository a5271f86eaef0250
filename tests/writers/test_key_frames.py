"""Which pictures are written: neither glare nor smear, where there is anything better."""

import json
from pathlib import Path

import cv2
import numpy as np

from carcinosis_loc.points import Frame, Peaks
from carcinosis_loc.writers.base import About, Found
from carcinosis_loc.writers.key_frames import KeyFrames

SIZE = (120, 160)


def tissue():
    ground = np.random.default_rng(3).random((*SIZE, 3)).astype(np.float32)
    return (cv2.GaussianBlur(ground, (0, 0), 2) * 150 + 30).astype(np.uint8)


def found_in(number, image, tracks, scores=None):
    """A frame of a video with points of these tracks."""
    frame = Frame(number + 1, "v.mp4", Path(), SIZE, extra={"frame": number, "time_s": number / 10})
    scores = np.full(len(tracks), 0.8, np.float32) if scores is None else np.array(scores, np.float32)
    peaks = Peaks(np.tile(np.float32([5, 5]), (len(tracks), 1)), scores)
    return Found(frame, peaks, True, np.array(tracks, np.int64), image)


def chosen(folder, frames):
    writer = KeyFrames(while_reading=True)
    writer.begin(About(folder, lambda frame: frame.file_name))
    for found in frames:
        writer.frame(found)
    writer.finish()
    listed = json.loads((folder / "key_frames.json").read_text())
    assert all((folder / one["file"]).is_file() for one in listed)
    return {one["image_id"] - 1: one["clearness"] for one in listed}


def test_neither_glare_with_its_many_points_nor_a_smeared_frame_is_chosen(tmp_path):
    """Glare has twenty points more, all of which are gone in the next frame; smear has the same points as before."""
    clear = tissue()
    glare, smear = clear.copy(), cv2.blur(clear, (9, 1))
    glare[::12, ::12] = 255
    frames = []
    for number in range(200):
        kind = number % 4  # clear, glare, smear, clear with a point less
        image, tracks = (clear, glare, smear, clear)[kind], [1, 2, 3, 4, 5][: 5 - (kind == 3)]
        flicker = [1000 + 20 * number + k for k in range(20)] if kind == 1 else []
        frames.append(found_in(number, image, tracks + flicker))
    numbers = chosen(tmp_path, frames)
    assert len(numbers) >= 5
    assert {number % 4 for number in numbers} == {0}


def test_where_no_point_stays_the_probabilities_of_all_count(tmp_path):
    """Of a video with one frame in ten seconds no point is seen three times."""
    clear, frames = tissue(), []
    for number in range(48):
        scores = [0.9, 0.9] if number % 4 == 1 else [0.2, 0.2, 0.2]
        frames.append(found_in(number, clear, [1000 * number + k for k in range(len(scores))], scores))
    assert set(chosen(tmp_path, frames)) == set(range(1, 48, 4))


def test_an_unfinished_run_of_an_earlier_version_is_gone_on_with(tmp_path):
    writer = KeyFrames(while_reading=True)
    writer.begin(About(tmp_path, lambda frame: frame.file_name))
    (tmp_path / ".candidates" / "1.jpg").write_bytes(b"picture")
    writer.restore({"v.mp4": [1, 1, [[0, 0, 1, "v.mp4_000000", 3, 1.5]]]})
    writer.frame(found_in(1, tissue(), [1]))
    writer.finish()
    assert json.loads((tmp_path / "key_frames.json").read_text())[0]["image_id"] == 1
