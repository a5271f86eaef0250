"""Dashboards: one run for a fit however often it is resumed, and no path in it."""

import re
from pathlib import Path

import pytest
import wandb
import yaml
from tiny_run import fit_words
from wandb.sdk.artifacts.staging import get_staging_dir

from carcinosis_loc.cli import main
from carcinosis_loc.loggers import RUN_ID, staged_in, without_paths


def test_paths_stay_out():
    config = {"data": {"train_json": "/home/jane_doe/t.json", "batch_size": 4}, "trainer": {"default_root_dir": "x"}}
    assert without_paths(config) == {"data": {"batch_size": 4}, "trainer": {}}
    assert config["data"]["train_json"]
    callbacks = [{"class_path": "T", "init_args": {"elder": "/home/jane_doe/c.ckpt", "sure": 0.9}}]
    assert without_paths({"callbacks": callbacks}) == {"callbacks": [{"class_path": "T", "init_args": {"sure": 0.9}}]}


def test_what_is_uploaded_later_lies_in_the_folder_of_the_run(tmp_path, monkeypatch):
    """A service's account may have no home folder that it can write."""
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", "/proc/nobody")
    with staged_in(tmp_path):
        assert Path(get_staging_dir()).is_relative_to(tmp_path)
    with pytest.raises(PermissionError):
        get_staging_dir()
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "theirs"))
    with staged_in(tmp_path / "ours"):
        assert Path(get_staging_dir()).is_relative_to(tmp_path / "theirs")


def test_a_resumed_fit_goes_on_with_its_dashboard(spots, tiny, tmp_path):
    root = tmp_path / "jane_doe"
    words = fit_words(spots, tiny, root, "--wandb", "offline", "--anonymize", "true")
    assert main(words) == 0
    identity = (root / RUN_ID).read_text().strip()
    assert re.fullmatch("[0-9a-f]{8}", identity)
    wandb.finish()  # as the end of the process does
    assert main([*words, "--ckpt_path", "last", "--trainer.max_epochs", "3"]) == 0
    wandb.finish()
    runs = list((root / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    assert {path.name.rsplit("-", 1)[1] for path in runs} == {identity}
    private = (b"jane_doe", str(spots).encode())
    for path in [*(root / "wandb").glob("offline-run-*/run-*.wandb"), *(root / "wandb").rglob("config.yaml")]:
        for word in private:
            assert word not in path.read_bytes(), path


def test_anonymize_writes_no_name(run, spots, tmp_path, capsys):
    """Nothing that a test or a prediction writes, name or content, says what the files and their folders are called."""
    ckpt = ["--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--trainer.default_root_dir"]
    shared = ["--anonymize", "true", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    where = ["--data.image_dir", str(spots / "images")]
    test = ["--data.test_json", str(spots / "test.json"), "--wandb", "off"]
    assert main(["test", *ckpt, str(tmp_path / "a"), *where, *test, *shared]) == 0
    assert main(["predict", *ckpt, str(tmp_path / "b"), "--data.predict_source", str(spots / "images"), *shared]) == 0
    capsys.readouterr()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"per_image.csv", "config_test.yaml", "points.csv", "images.json"} <= {path.name for path in files}
    for path in files:
        assert not re.search(r"(train|val|test|some)_\d", path.name), path
        for word in (b"test_0.png", b"train_1.png", str(spots).encode(), str(run).encode()):
            assert word not in path.read_bytes(), (path, word)
    assert yaml.safe_load((tmp_path / "a" / "config_test.yaml").read_text())["anonymize"] is True
