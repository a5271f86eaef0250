"""``carcloc predict`` at the prompt, on videos: its options, its lines, its exit codes."""

import csv
import json
import os
import re
import signal
import time

import pytest
from clips import pictures, write_clip, write_sound
from holding import held
from launching import Job

from carcinosis_loc.cli import main


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", pictures(30), fps=10)


def words(fitted, source, root, *more):
    return [
        *("predict", "--ckpt_path", str(fitted), "--data.predict_source", str(source)),
        *("--trainer.default_root_dir", str(root), "--trainer.accelerator", "cpu", *more),
    ]


def test_two_on_images_do_not_mix_their_files(fitted, spots, tmp_path, capsys):
    with held(tmp_path, ".predict.lock") as pid:
        assert main(words(fitted, spots / "images", tmp_path)) == 2
        assert f"another run is writing there (process {pid})" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [".predict.lock"]


def test_options_of_predict_and_what_it_says(fitted, clip, tmp_path, capsys):
    more = ["--data.per_second", "2", "--predictions.density", "true", "--predictions.overlays", "false"]
    tracker = ["--predictions.tracker", "carcinosis_loc.tracking.PointTracker", "--predictions.tracker.max_gap", "4"]
    assert main(words(fitted, clip, tmp_path, *more, *tracker, "--model.decoder.threshold", "0.05")) == 0
    said = capsys.readouterr().out
    assert "predict: 1 video, 3.0 s\n" in said
    assert re.search(r"predict: \d+ points with a score of 0\.050 or more in 6 frames", said)
    images = json.loads((tmp_path / "predictions" / "images.json").read_text())["images"]
    assert [image["frame"] for image in images] == [0, 5, 10, 15, 20, 25]
    with (tmp_path / "predictions" / "density.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    origin = json.loads((tmp_path / "predictions" / "provenance.json").read_text())
    assert origin["checkpoint"] == "best.ckpt"
    assert re.fullmatch("[0-9a-f]{64}", origin["checkpoint_sha256"])
    assert origin["videos"][0]["per_second"] == 2


def test_anonymize_reaches_the_files(fitted, clip, tmp_path):
    assert main(words(fitted, clip, tmp_path, "--anonymize", "true", "--data.every_nth", "10")) == 0
    origin = json.loads((tmp_path / "predictions" / "provenance.json").read_text())
    assert (origin["source"], origin["checkpoint"]) == (None, None)
    assert (tmp_path / "predictions" / "overlays" / "video_1.mp4").exists()
    assert "v.mp4" not in (tmp_path / "config_predict.yaml").read_text()


def truncated(path):
    write_clip(path, pictures(50))
    path.write_bytes(path.read_bytes()[:3000])


BAD = {
    "nothing there": (lambda path: None, [], "no such image, video or folder"),
    "an empty file": (lambda path: path.write_bytes(b""), [], "it is empty"),
    "sound alone": (lambda path: write_sound(path.with_suffix(".wav")).rename(path), [], "no video stream"),
    "no index": (truncated, [], "lacks its index"),
    "two devices": (lambda path: write_clip(path, pictures(2)), ["--trainer.devices", "2"], "--trainer.devices 1"),
    "no rate": (lambda path: write_clip(path, pictures(2)), ["--data.every_nth", "0"], "every_nth"),
    "nothing to keep": (lambda path: write_clip(path, pictures(2)), ["--predictions.unfinished", "keep"], "to keep"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_leaves_no_predictions(what, fitted, tmp_path, capsys):
    make, more, said = BAD[what]
    make(tmp_path / "a.mp4")
    assert main(words(fitted, tmp_path / "a.mp4", tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert said in error
    assert not list((tmp_path / "out").glob("predictions")) + list((tmp_path / "out").glob(".predictions*"))


def test_a_folder_with_a_damaged_video_is_refused_before_anything_is_computed(fitted, clip, tmp_path, capsys):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.mp4").write_bytes(clip.read_bytes())
    truncated(source / "b.mp4")
    assert main(words(fitted, source, tmp_path / "out")) == 2
    assert "b.mp4" in capsys.readouterr().err


@pytest.mark.slow
def test_sigterm_keeps_what_is_finished_and_the_same_command_goes_on(fitted, tmp_path, capsys):
    clip = write_clip(tmp_path / "v.mp4", pictures(240))
    command = words(fitted, clip, tmp_path / "out", "--predictions.overlays", "false", "--predictions.tracks", "false")
    job = Job(command)
    try:
        for _ in range(600):
            if list((tmp_path / "out").glob(".predictions.part/.journal/*.state.json")):
                break
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)
        said, error = job.communicate(60)
    finally:
        job.end()
    assert job.returncode == 143, error
    assert error.count("\n") == 1
    finished = re.search(r"(\d00) frames are finished and kept; the same command goes on", said)
    assert finished, said
    assert main(command) == 0
    assert f"predict: {finished[1]} frames are finished already; going on" in capsys.readouterr().out
    images = json.loads((tmp_path / "out" / "predictions" / "images.json").read_text())["images"]
    assert [image["frame"] for image in images] == list(range(240))


def test_a_name_that_is_no_utf_8_is_refused_before_anything_is_predicted(fitted, spots, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    picture = (spots / "images" / "test_0.png").read_bytes()
    (tmp_path / "in" / os.fsdecode(b"bad\xff.png")).write_bytes(picture)
    words = ["predict", "--ckpt_path", str(fitted), "--data.predict_source", str(tmp_path / "in")]
    words += ["--trainer.default_root_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu"]
    assert main([*words, "--data.num_workers", "0"]) == 2
    assert r"bad\udcff.png: this file's name is no UTF-8 text; rename the file" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
