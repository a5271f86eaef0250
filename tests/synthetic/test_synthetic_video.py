import argparse
import json

import av
import cv2
import numpy as np
import pytest

from carcinosis_loc.errors import InputError
from carcinosis_loc.synthetic import command, video_dataset
from carcinosis_loc.synthetic.filming import _to_frame, _to_strip
from carcinosis_loc.synthetic.flight import fly
from carcinosis_loc.synthetic.looks import draw_look
from carcinosis_loc.synthetic.panorama import make_panorama

SMALL = {"n_videos": 2, "seconds": 1.5, "fps": 8, "height": 96, "width": 128}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video") / "d"
    return folder, video_dataset.write_videos(folder, **SMALL)


def labels(folder):
    return json.loads((folder / "annotations" / "videos.json").read_text())


def frames(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_every_frame_is_in_the_file_and_in_the_labels(made):
    folder, summary = made
    document = labels(folder)
    assert [video["file_name"] for video in document["videos"]] == ["video_001.mp4", "video_002.mp4"] == list(summary)
    for video in document["videos"]:
        images = [image for image in document["images"] if image["video"] == video["file_name"]]
        pictures = frames(folder / "videos" / video["file_name"])
        assert [image["frame"] for image in images] == list(range(12)) == list(range(video["n_frames"]))
        assert [image["time_s"] for image in images] == pytest.approx([time for time, _ in pictures], abs=1e-3)
        assert {picture.shape for _, picture in pictures} == {(96, 128, 3)}
        assert {(image["height"], image["width"], image["file_name"]) for image in images} == {
            (96, 128, video["file_name"])
        }


def test_annotations_are_inside_and_each_track_is_once_in_a_frame(made):
    folder, summary = made
    document = labels(folder)
    assert [image["id"] for image in document["images"]] == list(range(1, 25))
    keys = [(note["image_id"], note["track_id"]) for note in document["annotations"]]
    assert len(set(keys)) == len(keys) > 24
    xy = np.array([note["keypoints"][:2] for note in document["annotations"]])
    assert ((xy >= 0) & (xy <= [127, 95])).all()
    name_of = {image["id"]: image["video"] for image in document["images"]}
    for name, counts in summary.items():
        mine = [key for image, key in keys if name_of[image] == name]
        assert counts == {"frames": 12, "points": len(mine), "unique": len(set(mine))}


def test_the_same_arguments_give_the_same_and_another_seed_does_not(made, tmp_path):
    folder, _ = made
    video_dataset.write_videos(tmp_path / "again", **{**SMALL, "n_videos": 1})
    first = labels(tmp_path / "again")["annotations"]
    assert first == labels(folder)["annotations"][: len(first)]
    for (_, one), (_, other) in zip(
        frames(folder / "videos" / "video_001.mp4"), frames(tmp_path / "again/videos/video_001.mp4"), strict=True
    ):
        assert (one == other).all()
    video_dataset.write_videos(tmp_path / "other", **{**SMALL, "n_videos": 1, "seconds": 0.25}, seed=1)
    assert labels(tmp_path / "other")["annotations"][:5] != first[:5]


def test_labels_lie_on_their_nodules(made):
    """A nodule looks alike in neighbouring frames at its labelled places, and less so at random ones."""
    folder, _ = made
    document = labels(folder)
    pictures = {}
    for video in document["videos"]:
        pictures |= {
            (video["file_name"], index): cv2.copyMakeBorder(picture, 6, 6, 6, 6, cv2.BORDER_REFLECT_101)
            for index, (_, picture) in enumerate(frames(folder / "videos" / video["file_name"]))
        }
    place = {image["id"]: (image["video"], image["frame"]) for image in document["images"]}
    where = {(*place[note["image_id"]], note["track_id"]): note["keypoints"][:2] for note in document["annotations"]}

    def patch(key, xy):
        return cv2.getRectSubPix(pictures[key], (9, 9), (float(xy[0] + 6), float(xy[1] + 6))).astype(float)

    random = np.random.default_rng(0)
    same, other = [], []
    for (video, frame, track), xy in where.items():
        later = where.get((video, frame + 1, track))
        if later is not None:
            mine = patch((video, frame), xy)
            same.append(np.abs(mine - patch((video, frame + 1), later)).mean())
            other.append(np.abs(mine - patch((video, frame + 1), random.uniform((6, 6), (120, 88)))).mean())
    assert len(same) > 50
    assert np.median(same) < 0.4 * np.median(other)


def test_places_go_to_the_frame_and_back():
    size = (64, 96)
    panorama = make_panorama(np.random.default_rng(0), draw_look(np.random.default_rng(1)), size)
    for pose in fly(np.random.default_rng(2), size, panorama.scene.size, 12, 2):
        xy = np.random.default_rng(3).uniform((0, 0), (95, 63), (20, 2))
        still = _to_strip(pose, xy, size)
        places = still - pose.breath * panorama.breathed(still[None])[0]
        assert _to_frame(panorama, pose, places, size) == pytest.approx(xy, abs=0.05)


@pytest.mark.parametrize("size", [(192, 192), (360, 640), (64, 300)])
def test_the_camera_stays_on_the_strip_moves_and_comes_back(size):
    strip = (round(1.45 * min(size)), 5 * round(1.45 * min(size)))
    poses = fly(np.random.default_rng(0), size, strip, 400, 10)
    corners = np.array([[0, 0], [size[1] - 1, 0], [0, size[0] - 1], [size[1] - 1, size[0] - 1]], float)
    for pose in poses:
        places = _to_strip(pose, corners, size)
        assert (places > -1.5).all()
        assert (places < np.array(strip[::-1]) + 0.5).all()
    x = np.array([pose.x for pose in poses])
    assert np.ptp(x) > min(size)
    assert any(pose.away for pose in poses)
    crossings = np.flatnonzero(np.diff(np.sign(x - np.median(x))))
    assert len(crossings) > 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"height": 97}, "height is 97 pixels; for a video it must be even"),
        ({"width": 10}, "width is 10"),
        ({"height": 130}, "the frame is taller than wide"),
        ({"n_videos": 0}, "number of videos is 0"),
        ({"seconds": 0}, "seconds is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"seconds": 0.01}, "make 0 frames"),
        ({"seconds": 1e9}, "make 8000000000 frames"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_arguments_are_refused(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        video_dataset.write_videos(tmp_path / "d", **{**SMALL, **change})
    assert not (tmp_path / "d").exists()


def test_a_failure_leaves_no_video_and_no_labels(tmp_path, monkeypatch):
    def broken(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video_dataset, "_add_labels", broken)
    with pytest.raises(OSError, match="No space left"):
        video_dataset.write_videos(tmp_path / "d", **SMALL)
    assert [path for path in (tmp_path / "d").rglob("*") if path.is_file()] == []


def test_an_interrupted_overwrite_leaves_the_earlier_videos_whole(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    video_dataset.write_videos(tmp_path / "d", **SMALL)
    before = {path: path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file()}
    assert len(before) == 1 + SMALL["n_videos"]
    monkeypatch.setattr(video_dataset, "_video_entry", interrupted)
    with pytest.raises(KeyboardInterrupt):
        video_dataset.write_videos(tmp_path / "d", overwrite=True, **SMALL | {"seed": 5})
    assert {path: path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file()} == before


def test_the_command_says_what_it_made(tmp_path, capsys):
    words = f"{tmp_path}/d --video --n-videos 1 --seconds 0.5 --fps 4 --height 64 --width 64"
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(words.split()))
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{tmp_path}/d: 1 videos, 2 frames, ")
    with pytest.raises(InputError, match="exists already"):
        command.run(parser.parse_args(words.split()))
    command.run(parser.parse_args([*words.split(), "--overwrite"]))
