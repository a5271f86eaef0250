"""Shipped configs are found from anywhere, and a local file beats them."""

import logging

import pytest

from carcinosis_loc.configs import find_config, option_values, resolve_configs, shipped_folder, shipped_names
from carcinosis_loc.errors import InputError

NAMES = {
    "conspicuous_and_whole.yaml",
    "conspicuous_first.yaml",
    "conspicuous_labels.yaml",
    "demo.yaml",
    "generations.yaml",
    "hrnet_cat.yaml",
    "hrnet_hill.yaml",
    "hrnet_mse.yaml",
    "hrnet_small.yaml",
    "hrnet_w18.yaml",
    "hrnet_w32.yaml",
    "hrnet_w48.yaml",
    "multi_gpu.yaml",
    "nuclei.yaml",
    "retina.yaml",
    "label_chance.yaml",
    "random_labels.yaml",
    "teacher.yaml",
    "unknown_labels.yaml",
}


def test_what_is_shipped():
    assert set(shipped_names()) == NAMES


def test_no_shipped_config_holds_a_data_path():
    for name in shipped_names():
        text = (shipped_folder() / name).read_text()
        assert not any(key in text for key in ("image_dir", "_json:", "predict_source", "default_root_dir")), name


def test_a_bare_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("demo.yaml") == str(shipped_folder() / "demo.yaml")


def test_a_local_file_beats_a_shipped_one_and_that_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text("seed_everything: 1\n")
    with caplog.at_level(logging.INFO):
        assert find_config("demo.yaml") == "demo.yaml"
    assert "local file ./demo.yaml" in caplog.text


@pytest.mark.parametrize("name", ["nope.yaml", "configs_elsewhere/demo.yaml", "../configs/nope.yaml", ""])
def test_an_unknown_config_lists_the_shipped_ones(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"demo\.yaml, generations\.yaml, hrnet_cat\.yaml"):
        find_config(name)


def test_command_lines():
    words = ["--config", "demo.yaml", "--x=1", "--config=nuclei.yaml", "-c", "demo.yaml", "--x", "2", "--x"]
    assert option_values(words, "--x") == ["1", "2"]
    folder = str(shipped_folder())
    assert resolve_configs(words) == [
        "--config",
        f"{folder}/demo.yaml",
        "--x=1",
        f"--config={folder}/nuclei.yaml",
        "-c",
        f"{folder}/demo.yaml",
        "--x",
        "2",
        "--x",
    ]


def test_callbacks_that_another_config_takes_the_place_of_are_named(tmp_path, caplog):
    own = tmp_path / "own.yaml"
    own.write_text("trainer: {callbacks: [{class_path: a.b.Mine}, carcinosis_loc.callbacks.LabelChance]}")
    resolve_configs(["--config", "demo.yaml", "--config", str(own), "--config", "label_chance.yaml"])
    assert "Mine does not take part, as the callbacks of label_chance.yaml take the place of those of own.yaml" in (
        caplog.text
    )
    caplog.clear()
    resolve_configs(["--config", "demo.yaml", "--config", "label_chance.yaml", "--config", "hrnet_w18.yaml"])
    (tmp_path / "odd.yaml").write_text("trainer: {callbacks: none}\nmodel: 3")
    resolve_configs(["--config", str(tmp_path / "odd.yaml"), "--config", "teacher.yaml"])
    assert not caplog.text
