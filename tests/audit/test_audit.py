"""Frames to audit: which, and what they are worth."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.audit import command
from carcinosis_loc.audit.choice import choose_frames, worth_of
from carcinosis_loc.cli import main


def frames(seed=0, n=40, clear=False):
    random = np.random.default_rng(seed)
    low, high = (0.001, 0.999) if clear else (0.05, 0.9)
    return [np.where(random.random(50) < share, high, low) for share in np.linspace(0.05, 0.9, n)]


def test_one_frame_is_the_middle_of_all_objects():
    probabilities = [np.ones(k) for k in (1, 1, 1, 2, 9)]
    assert choose_frames(probabilities, 1) == [4]  # it holds the middle one of 14


def test_frames_of_all_densities_come():
    chosen = choose_frames(frames(), 4)
    assert chosen == sorted(chosen)
    assert len(set(chosen)) == 4
    assert chosen[0] < 25 < chosen[-1]


@given(st.integers(1, 6), st.lists(st.integers(0, 5), min_size=6, max_size=9))
@settings(max_examples=50, deadline=None)
def test_as_many_as_wanted_and_none_twice(n, counts):
    chosen = choose_frames([np.full(k, 0.5) for k in counts], n)
    assert len(set(chosen)) == n
    assert set(chosen) <= set(range(len(counts)))


def test_more_frames_are_worth_more_and_all_of_them_lose_nothing():
    noisy = [np.random.default_rng(k).beta(0.6, 0.8, 60) for k in range(40)]
    worths = [worth_of(noisy, choose_frames(noisy, n)) for n in (1, 4, 40)]
    assert worths[0].mean > worths[1].mean > worths[2].mean == 0
    assert all(worth.worst >= worth.mean for worth in worths)


def test_where_scores_part_cleanly_one_frame_does():
    clear = frames(clear=True)
    assert worth_of(clear, choose_frames(clear, 1)).mean < 0.01


@pytest.mark.parametrize("probabilities", [[np.zeros(0)] * 3, [np.zeros(4)] * 3, []])
def test_frames_without_a_peak_or_an_object_give_no_nan(probabilities):
    worth = worth_of(probabilities, list(range(len(probabilities)))[:1])
    assert (worth.mean, worth.worst) == (0, 0)


def words(spots, checkpoint, out, *more):
    given = ["--ckpt_path", checkpoint, "--image_dir", spots / "images", "--json", spots / "val.json", *more, out]
    return ["audit", *map(str, given)]


def test_the_command_writes_what_an_annotator_needs(spots, fitted, tmp_path, capsys):
    out = tmp_path / "audit"
    assert main(words(spots, fitted, out, "--frames", "2")) == 0
    content, given = (json.loads(path.read_text()) for path in (out / "frames.json", spots / "val.json"))
    ids = {image["id"] for image in content["images"]}
    assert len(ids) == 2
    assert [image["exhaustive"] for image in content["images"]] == [False, False]
    assert content["annotations"] == [one for one in given["annotations"] if one["image_id"] in ids]
    assert content["categories"] == given["categories"]
    assert len(list(out.glob("*.png"))) == 2
    printed = capsys.readouterr().out
    assert f"carcloc calibrate --ckpt_path {fitted}" in printed
    assert all(image["file_name"] in printed for image in content["images"])


def test_a_calibrated_checkpoint_tells_what_the_frames_are_worth(spots, fitted, tmp_path, capsys):
    content = torch.load(fitted, weights_only=True)
    scale = {"threshold": 0.3, "rule": "valley", "n_images": 5, "n_points": 9, "scale": [1.0, 0.0]}
    content["carcloc"]["calibration"] = scale
    torch.save(content, tmp_path / "c.ckpt")
    assert main(words(spots, tmp_path / "c.ckpt", tmp_path / "audit", "--frames", "3")) == 0
    printed = capsys.readouterr().out
    assert "3 frames: 0." in printed
    assert "5 frames: 0.000 F1 lost" in printed  # all of them


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("--frames", "0"), "5 frames"),
        (("--frames", "6"), "5 frames"),
        (("--frames", "x"), "--frames"),
        (("--device", "banana"), "banana"),
        (("--device", "cuda:99"), "cuda:99"),
        (("--device", "meta"), "device meta"),
        (("--category", "zz"), "--category must be of"),
    ],
)
def test_wrong_numbers_are_refused(spots, fitted, tmp_path, capsys, change, word):
    assert main(words(spots, fitted, tmp_path / "audit", *change)) == 2
    message = capsys.readouterr().err
    assert word in message
    assert message.count("\n") == 1
    assert not (tmp_path / "audit").exists()


def test_an_existing_folder_and_a_strange_checkpoint_are_refused(spots, fitted, tmp_path, capsys):
    assert main(words(spots, fitted, tmp_path)) == 2
    assert "exists" in capsys.readouterr().err
    (tmp_path / "c.ckpt").write_text("none")
    assert main(words(spots, tmp_path / "c.ckpt", tmp_path / "audit")) == 2
    assert "c.ckpt" in capsys.readouterr().err
    assert not (tmp_path / "audit").exists()


def test_labels_with_a_byte_order_mark_and_names_as_long_as_a_disk_takes(spots, fitted, tmp_path):
    content = json.loads((spots / "val.json").read_text())
    (tmp_path / "images").mkdir()
    for image in content["images"]:
        long = f"{image['id']}{'x' * 250}.png"
        (tmp_path / "images" / long).write_bytes((spots / "images" / image["file_name"]).read_bytes())
        image["file_name"] = long
    (tmp_path / "val.json").write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    assert main(words(tmp_path, fitted, tmp_path / "audit", "--frames", "2")) == 0
    assert len(json.loads((tmp_path / "audit" / "frames.json").read_text())["images"]) == 2


def test_an_interrupted_audit_leaves_no_folder(spots, fitted, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "write_json", interrupted)  # the pictures are there by then
    assert main(words(spots, fitted, tmp_path / "audit", "--frames", "2")) == 130
    assert list(tmp_path.iterdir()) == []
