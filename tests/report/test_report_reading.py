"""Predictions folders: what is read, and every damage as one line that names the file."""

import json
import os
import re

import pytest
from procedures import PROVENANCE, write_images, write_video

from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.report.reading import read_findings


def test_a_video_is_read_as_it_was_written(tmp_path):
    findings = read_findings(write_video(tmp_path))
    assert len(findings.frames) == 60
    assert [(video.name, len(video.frames), video.duration_s) for video in findings.videos] == [("case.mp4", 60, 60.0)]
    assert findings.threshold == 0.3
    assert findings.counts().tolist() == [sum(second % k == 0 for k in range(1, 13)) for second in range(60)]
    assert findings.counts(0.8).tolist() == [1 + (second % 2 == 0) for second in range(60)]
    assert [frame for frame, _ in findings.key_frames] == [0, 10, 20, 30, 40, 50]
    assert len(findings.tracks) == 12
    assert set(findings.found.track_id) == set(range(1, 13))


def test_images_have_no_time_and_no_tracks(tmp_path):
    findings = read_findings(write_images(tmp_path))
    assert findings.videos == []
    assert findings.tracks is None
    assert findings.images.tolist() == [0, 1, 2]
    assert findings.counts().tolist() == [0, 1, 2]


def test_a_folder_of_an_earlier_version_is_read(tmp_path):
    """It has ``images.json`` and ``points.csv`` without times alone; its lowest score is its threshold."""
    write_images(tmp_path)
    for name in ("provenance.json", "key_frames.json"):
        (tmp_path / name).unlink()
    (tmp_path / "points.csv").write_text("file_name,x,y,score\nb.png,1.5,2.5,0.25\nc.png,1,2,0.75\n")
    findings = read_findings(tmp_path)
    assert findings.threshold == 0.25
    assert findings.counts().tolist() == [0, 1, 1]
    assert findings.found.xy.tolist() == [[1.5, 2.5], [1, 2]]
    assert (findings.provenance, findings.key_frames) == ({}, [])


def change(path, text=None, **keys):
    if text is not None:
        path.write_text(text)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))


HEAD = "file_name,frame,time_s,x,y,score,track_id\n"
IMAGE = {"id": 1, "file_name": "a.png", "width": 4, "height": 3}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("images.json", "{", "images.json: this file is no valid JSON"),
        ("images.json", '{"images": []}', "images.json: lists no frame"),
        ("images.json", '{"images": [{"id": 1}]}', "image id 1: the key .*is missing"),
        ("images.json", json.dumps({"images": [IMAGE, IMAGE | {"id": 2}]}), "image id 2: 'a.png' is listed twice"),
        ("images.json", json.dumps({"images": [IMAGE, IMAGE]}), "this id occurs twice"),
        ("images.json", json.dumps({"images": [IMAGE | {"time_s": -1}]}), '"time_s" must be'),
        ("images.json", json.dumps({"images": [IMAGE | {"time_s": 1e308}]}), r'"time_s" must be .* from 0 to 1e\+09'),
        ("images.json", json.dumps({"images": [IMAGE | {"file_name": 3}]}), '"file_name" must be a text'),
        ("points.csv", "", "points.csv: the column file_name is missing"),
        ("points.csv", "file_name,x,y\n", "points.csv: the column score is missing"),
        ("points.csv", HEAD + "other.mp4,0,0.0,1,1,0.5,1\n", "points.csv: line 2: no such frame in images.json"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1,nan,0.5,1\n", "line 2: y must be a number, not 'nan'"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1,1,1.5,1\n", r"line 2: score must lie in \[0, 1\]"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1\n", "line 2: y must be a number, not ''"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1,1,0.5,1", "points.csv: breaks off in its last line"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1,1,0.5,1e308\n", "line 2: track_id must be a whole number"),
        ("points.csv", HEAD + "case.mp4,0,0.0,1,1,0.5,1.5\n", "line 2: track_id must be a whole number"),
        ("tracks.csv", "track_id,file_name,n_sightings,best_score\n1,case.mp4,-1,1\n", "line 2: n_sightings must be"),
        ("tracks.csv", "track_id\n", "tracks.csv: the column file_name is missing"),
        ("tracks.csv", "track_id,file_name,n_sightings,best_score\n1,x.mp4,5,1\n", "line 2: no such video"),
        ("key_frames.json", "[{}]", r"key_frames\[0\]: the key .image_id. is missing"),
        ("key_frames.json", '[{"image_id": 99, "file": "key_frames/1.jpg"}]', "no image 99 in images.json"),
        ("key_frames.json", '[{"image_id": 1, "file": "../../x.jpg"}]', "'../../x.jpg' lies outside"),
        ("key_frames.json", r'[{"image_id": 1, "file": "\u0000"}]', "is no name of a file"),
        ("key_frames.json", '[{"image_id": 1, "file": 1}]', "1 is no name of a file"),
        ("key_frames.json", '[{"image_id": 1, "file": "key_frames/0.jpg"}]', "there is no such picture"),
        ("provenance.json", "[]", "provenance.json: the top level must be a JSON object"),
        ("provenance.json", '{"threshold": "high"}', '"threshold" must be a number'),
        ("provenance.json", '{"threshold": 1.5}', r'"threshold" must lie in \[0, 1\]'),
        ("provenance.json", '{"score_scale": [1]}', '"score_scale" must be two numbers'),
        ("provenance.json", '{"videos": [{"file_name": "case.mp4", "duration_s": 1e308}]}', '"duration_s" must be'),
        ("provenance.json", '{"videos": [{"file_name": "other.mp4"}]}', "tells nothing of 'case.mp4'"),
        ("provenance.json", '{"version": 3}', '"version" must be a text'),
        ("provenance.json", '{"videos": [{}]}', r"videos\[0\]: the key .file_name. is missing"),
    ],
)
def test_damage_is_one_line_and_leaves_the_earlier_page(tmp_path, capsys, name, text, message):
    write_video(tmp_path, key_every=30, seconds=40)
    (tmp_path / "report.html").write_text("earlier")
    change(tmp_path / name, text)
    with pytest.raises(InputError, match=message):
        read_findings(tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(tmp_path / name) in error
    assert (tmp_path / "report.html").read_text() == "earlier"


def test_a_picture_that_is_damaged_or_of_another_size_is_named(tmp_path, capsys):
    write_video(tmp_path, key_every=30, seconds=40)
    picture = tmp_path / "key_frames" / "31.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    assert main(["report", str(tmp_path)]) == 2
    assert "31.jpg: " in capsys.readouterr().err
    write_video(tmp_path / "b", key_every=30, seconds=40)
    images = json.loads((tmp_path / "b" / "images.json").read_text())["images"]
    change(tmp_path / "b" / "images.json", images=[image | {"width": 999} for image in images])
    assert main(["report", str(tmp_path / "b")]) == 2
    assert "1.jpg: is 320 x 180 pixels, but its entry says 999 x 180" in capsys.readouterr().err
    assert not list(tmp_path.rglob("report.html"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "there is no such folder"),
        (["empty"], r"holds neither metrics.json .* nor images.json"),
        (["p", "--min-seconds", "-1"], "--min-seconds: must be 0 or more"),
        (["p", "--smooth-seconds", "nan"], "--smooth-seconds: must be"),
        (["p", "--stations", "none.csv"], "none.csv: cannot be read"),
        ([], "RUN_OR_PREDICTIONS"),
    ],
)
def test_bad_arguments_are_one_line(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_video(tmp_path / "p", key_every=0, seconds=3)
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)


def test_provenance_keeps_what_it_knows(tmp_path):
    findings = read_findings(write_video(tmp_path, key_every=0, score_scale=[1.5, 0.5], more="unknown"))
    assert findings.provenance["score_scale"] == [1.5, 0.5]
    assert "more" not in findings.provenance
    assert findings.provenance["commit"] == PROVENANCE["commit"]


@pytest.mark.parametrize("name", ["images.json", "points.csv", "tracks.csv", "provenance.json", "key_frames.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, name):
    write_video(tmp_path, seconds=2)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: is no ordinary file"):
        read_findings(tmp_path)


def test_a_year_of_video_is_a_page_like_any_other(tmp_path):
    write_video(tmp_path, key_every=0, seconds=3)
    short = tmp_path / "report.html"
    assert main(["report", str(tmp_path)]) == 0
    size = short.stat().st_size
    images = json.loads((tmp_path / "images.json").read_text())["images"]
    (tmp_path / "points.csv").write_text(HEAD)
    change(tmp_path / "images.json", images=[*images[:-1], images[-1] | {"time_s": 366 * 86400.0}])
    assert main(["report", str(tmp_path)]) == 0
    assert short.stat().st_size < size + 10_000  # a tick every four hours would be far more
