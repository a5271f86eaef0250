"""Words and configs: the shipped ones parse; wrong ones are refused in one line, with nothing written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from command_words import assert_refused
from tiny_run import fit_words

from carcinosis_loc.cli import main
from carcinosis_loc.configs import shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_config_parses(name, spots, tmp_path, capsys):
    """``--print_config`` parses it whole; those that only hold a network are stacked on another."""
    parts = ("hrnet_w", "hrnet_small", "teacher", "generations", "multi_gpu")
    parts += ("label_chance", "random_labels", "conspicuous_", "unknown_labels")
    stacked = ["--config", "demo.yaml"] if name.startswith(parts) else []
    assert main(["fit", *stacked, "--config", name, "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["model"]["net"]["class_path"] == "carcinosis_loc.models.HeatmapNet"


def test_the_papers_settings():
    folder = Path(__file__).parents[2] / "configs"
    for name, loss in (("hrnet_cat", "CragAndTail"), ("hrnet_hill", "Hill"), ("hrnet_mse", "HeatmapMSE")):
        config = yaml.safe_load((folder / f"{name}.yaml").read_text())
        assert config["model"]["loss"]["class_path"].endswith(loss)
        assert config["model"]["optimizer"]["class_path"] == "torch.optim.SGD"
        assert config["model"]["optimizer"]["init_args"]["lr"] == 0.01
        assert config["model"]["optimizer"]["init_args"]["weight_decay"] == 0.0005
        assert config["data"]["image_size"] == [720, 1280]
        assert config["model"]["net"]["init_args"]["backbone"]["init_args"]["width"] == 32


class TestFrontDoor:
    def test_help_is_quick_and_needs_no_torch(self):
        code = "import sys; from carcinosis_loc.cli import main; c = main(['--help']); print('torch' in sys.modules, c)"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip().endswith("False 0")
        for command in (
            "fit",
            "validate",
            "test",
            "predict",
            "calibrate",
            "export",
            "synth",
            "thin",
            "masks2points",
            "audit",
            "study",
        ):
            assert re.search(rf"^  {command} ", out, re.M)

    def test_the_module_runs_too(self):
        out = subprocess.run([sys.executable, "-m", "carcinosis_loc", "--version"], capture_output=True, text=True)
        assert out.stdout.startswith("carcloc ")

    @pytest.mark.parametrize("words", [["frobnicate"], ["synth"], ["thin", "a"], ["thin", "a", "b", "--no-such"]])
    def test_a_wrong_command_line_is_one_line(self, words, capsys):
        assert_refused(main(words), capsys, words[0])


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--data.train_json", "nowhere.json"], "nowhere.json"),
        (["--data.image_dir", "nowhere"], "nowhere"),
        (["--data.no_such_key", "1"], "no_such_key"),
        (["--model.loss.lam", "much"], "lam"),
        (["--model.decoder.threshold", "7"], "threshold"),
        (["--model.net.init_args.init_checkpoint", "nowhere.pth"], "nowhere.pth"),
        (["--trainer.default_root_dir", "/dev/null/run"], "/dev/null/run"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--trainer.devices", "-5"], "devices"),
        (["--model.optimizer.lr", "-1"], "learning rate"),
        (["--model.net.init_args.backbone.init_args.width", "0"], "config"),
        (["--seed_everything", "-1"], "seed_everything"),
        (["--data.train_json", ""], "--data.train_json"),
    ],
)
def test_bad_arguments_are_refused(more, named, spots, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(main(fit_words(spots, tiny, tmp_path / "out", *more)), capsys, named)
    assert os.listdir(tmp_path) == []


def test_a_config_that_is_none_is_refused(spots, tiny, tmp_path, capsys):
    loss = "model: {loss: {class_path: carcinosis_loc.losses.Hill, init_args: {lamb: 1}}}"
    for text, named in (
        ("model: [", "line 1"),
        ("just text", "sections"),
        ("", "sections"),
        ("no_such_section: {a: 1}", "no_such_section"),
        ("model: {nett: 1}", "model.nett"),
        (loss, "lamb"),
        ("trainer: {max_epochs: many}", "trainer.max_epochs"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        words = fit_words(spots, tiny, tmp_path / "out", "--config", str(tmp_path / "bad.yaml"))
        words = [word for word in words if word not in ("--trainer.max_epochs", "2")]
        assert_refused(main(words), capsys, "bad.yaml", named)
    assert os.listdir(tmp_path) == ["bad.yaml"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("more", "named"),
    [
        ([], "--trainer.accelerator cpu --trainer.sync_batchnorm false"),
        (["--trainer.accelerator", "cuda"], "leave multi_gpu.yaml out"),
        (["--trainer.accelerator", "cpu"], "add --trainer.sync_batchnorm false"),
    ],
)
def test_the_config_for_gpus_on_a_machine_without_says_what_to_change(more, named, spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path / "out", "--config", "multi_gpu.yaml", *more)
    assert_refused(main(words), capsys, "config: trainer.", named)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "needed"),
    [("fit", "train_json"), ("validate", "val_json"), ("test", "test_json"), ("predict", "predict_source")],
)
def test_the_head_of_a_help_page_says_how_the_command_is_called(command, needed, capsys):
    assert main([command, "--help"]) == 0
    usage, text, rest = capsys.readouterr().out.split("\n\n", 2)
    assert usage.startswith(f"usage: carcloc {command} --")
    assert f"--data.{needed} " in usage
    named = {word.rstrip(",.;") for word in f"{usage} {text}".split() if word.startswith("--")}
    assert len(named) > 4
    known = rest.replace("--model.decoder.help", "--model.decoder.threshold")  # an option of the class that is chosen
    assert [flag for flag in named if not re.search(rf"{flag}\b", known)] == []


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_nothing_is_scored_without_a_checkpoint(command, capsys):
    assert_refused(main([command, "--config", "demo.yaml"]), capsys, "--ckpt_path")


def test_what_a_command_needs_is_asked_for_by_its_flag(tested, tiny, capsys):
    checkpoint = str(tested / "checkpoints" / "best.ckpt")
    assert_refused(main(["test", "--ckpt_path", checkpoint]), capsys, "--data.test_json")
    assert_refused(main(["predict", "--ckpt_path", checkpoint]), capsys, "--data.predict_source")
    assert_refused(main(["fit", "--config", "demo.yaml"]), capsys, "--data.train_json")
    assert_refused(main(["fit"]), capsys, "--config demo.yaml")


def test_a_misspelt_flag_is_guessed(capsys):
    assert_refused(
        main(["fit", "--config", "demo.yaml", "--data.train_jsn", "x"]), capsys, "did you mean --data.train_json?"
    )
    assert_refused(main(["fit", "--config", "demo.yaml", "--quite.another", "x"]), capsys, "--quite.another x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"rounds": 0}, "rounds must be at least 1"), ({"start": 1.5}, "start must lie"), ({"sure": 1.0}, "0 < doubt <=")],
)
def test_what_a_teacher_refuses_is_said_in_its_own_words(arguments, message, spots, tiny, tmp_path, capsys):
    callback = {"class_path": "carcinosis_loc.callbacks.Teacher", "init_args": arguments}
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({"trainer": {"callbacks": [callback]}}))
    assert main(fit_words(spots, tiny, tmp_path / "run", "--config", str(path))) == 2
    refusal = capsys.readouterr().err
    assert refusal.startswith(f"carcloc: Teacher: {message}")
    assert len(refusal) < 100


def test_a_reader_that_goes_away_is_no_failure(tmp_path):
    small = ["--n-train", "4", "--n-val", "4", "--n-test", "2", "--height", "64", "--width", "64", "--workers", "1"]
    command = [sys.executable, "-u", "-m", "carcinosis_loc", "synth", str(tmp_path / "data"), *small]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
