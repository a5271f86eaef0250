"""Checkpoints that are none of ours, or were edited: exit code 2, one line, nothing written."""

import os

import pytest
import torch
from command_words import assert_refused

import carcinosis_loc
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError


def test_files_that_are_no_checkpoints_of_ours_are_refused(tested, spots, tmp_path, capsys):
    (tmp_path / "text.ckpt").write_text("hello")
    torch.save({"state_dict": {}}, tmp_path / "weights.ckpt")
    stranger = torch.load(tested / "checkpoints" / "best.ckpt", weights_only=True)
    stranger["carcloc"]["recipe"]["model"]["net"]["init_args"]["backbone"]["class_path"] = "os.system"
    torch.save(stranger, tmp_path / "stranger.ckpt")
    for name in ("text.ckpt", "weights.ckpt", "stranger.ckpt", "missing.ckpt"):
        words = ["test", "--ckpt_path", str(tmp_path / name), "--data.test_json", str(spots / "test.json")]
        assert_refused(main(words), capsys, name)


def edited(tested, path, **edits):
    """A copy of a real checkpoint with keys replaced, dotted by two underscores; None removes."""
    content = torch.load(tested / "checkpoints" / "best.ckpt", weights_only=True)
    for place, value in edits.items():
        *folders, name = place.split("__")
        inside = content
        for folder in folders:
            inside = inside[folder]
        if value is None:
            del inside[name]
        else:
            inside[name] = value
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "edits",
    [
        {"carcloc__recipe__model__optimizer": "this.X"},  # a bare path would be imported
        {"carcloc__recipe__model__net__init_args__backbone": "this.X"},
        {"carcloc__recipe__trainer": {"default_root_dir": "elsewhere"}},
        {"carcloc__recipe__config": "/etc/hostname"},
        {"carcloc__recipe__data__image_dir": "/etc"},
        {"carcloc__recipe__model__decoder": None},
        {"carcloc__recipe__model": {}},
        {"carcloc__recipe__data": [1]},
        {"carcloc__recipe__model__net__init_args__prior": "x"},
        {"carcloc__recipe__model__loss__class_path": "carcinosis_loc.models.Nope"},
        {"carcloc__recipe__model__net__init_args__backbone__init_args__width": 16},  # weights of another shape
        {"carcloc__calibration": 0.5},
        {"carcloc__calibration": {"threshold": 0.5, "rule": "labels", "n_images": 1}},
        {"carcloc__calibration": {"threshold": float("nan"), "rule": "labels", "n_images": 1, "n_points": 1}},
        {"carcloc__calibration": {"threshold": 7.0, "rule": "labels", "n_images": 1, "n_points": 1}},
        {"carcloc__calibration": {"threshold": 0.5, "rule": "labels", "n_images": "x", "n_points": 1}},
        {"state_dict": {}},
        {"state_dict__net.head.bias": torch.tensor([float("nan")])},
    ],
    ids=str,
)
def test_an_edited_checkpoint_is_refused_by_name(edits, tested, spots, tmp_path, capsys):
    path = edited(tested, tmp_path / "edited.ckpt", **edits)
    words = ["predict", "--ckpt_path", str(path), "--data.predict_source", str(spots / "images")]
    assert_refused(main([*words, "--trainer.default_root_dir", str(tmp_path / "out")]), capsys, "edited.ckpt")
    assert os.listdir(tmp_path) == ["edited.ckpt"]
    if not any("loss" in place or "optimizer" in place for place in edits):
        with pytest.raises(InputError, match=r"edited\.ckpt"):
            carcinosis_loc.load(path)
