"""The four commands end to end on drawn spots, and every bad input: exit code 2, one line, nothing written."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_run import fit_words

import carcinosis_loc
from carcinosis_loc.cli import main
from carcinosis_loc.configs import shipped_names
from carcinosis_loc.errors import InputError


def test_fit_writes_its_folder_and_no_other(run, tmp_path):
    assert {".lock", "config.yaml", "checkpoints", "logs", "pictures"} == {path.name for path in run.iterdir()}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 2
    assert config["data"]["num_workers"] == 0
    with (run / "logs" / "fit" / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames
    for name in (
        "lr-AdamW",
        "train/loss",
        "train/max_probability",
        "val/loss",
        "val/peaks_per_frame",
        "val/recall_on_labelled",
    ):
        assert name in columns, name
    assert not any(name.startswith("val/f1") for name in columns), "F1 needs exhaustive frames"
    assert list((run / "pictures").glob("val_*.png"))


def test_the_checkpoint_holds_plain_values_only(run):
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert "hyper_parameters" not in content
    assert content["carcloc"]["recipe"]["model"]["net"]["class_path"] == "carcinosis_loc.models.HeatmapNet"


@pytest.fixture(scope="session")
def tested(run, spots, tmp_path_factory):
    root = tmp_path_factory.mktemp("tested")
    shutil.copytree(run, root, dirs_exist_ok=True)
    assert main(test_words(spots, root)) == 0
    return root


def test_words(spots, root, *more):
    return [
        *("test", "--ckpt_path", str(root / "checkpoints" / "best.ckpt"), "--wandb", "off"),
        *("--data.image_dir", str(spots / "images"), "--data.test_json", str(spots / "test.json")),
        *("--data.num_workers", "0", "--trainer.accelerator", "cpu", *more),
    ]


test_words.__test__ = False


def test_test_needs_a_checkpoint_and_a_test_file_alone(tested, spots):
    metrics = json.loads((tested / "metrics.json").read_text())
    for name in ("f1", "precision", "recall", "threshold", "best_f1", "best_threshold", "average_precision"):
        assert 0 <= metrics[name] <= 1, name
    truth = json.loads((spots / "test.json").read_text())
    assert metrics["n_images"] == len(truth["images"])
    assert metrics["n_points"] == len(truth["annotations"])
    assert metrics["match_radius_px"] == 6
    with (tested / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == [image["file_name"] for image in truth["images"]]
    assert sum(int(row["n_points"]) for row in rows) == metrics["n_points"]
    assert sum(int(row["tp"]) for row in rows) == pytest.approx(metrics["recall"] * metrics["n_points"])
    assert (tested / "config_test.yaml").exists()
    assert (tested / "config.yaml").exists()


def test_a_threshold_given_by_hand_wins(tested, spots, tmp_path):
    out = ["--trainer.default_root_dir", str(tmp_path)]
    for value in (0.0, 0.123, 1.0):
        assert main(test_words(spots, tested, "--model.decoder.threshold", str(value), *out)) == 0
        assert json.loads((tmp_path / "metrics.json").read_text())["threshold"] == pytest.approx(value)


def test_a_config_beats_the_checkpoint_and_a_flag_beats_both(tested, spots, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("model: {match_radius_px: 9.0, decoder: {threshold: 0.2}}\n")
    words = test_words(spots, tested, "--config", str(config), "--trainer.default_root_dir", str(tmp_path))
    assert main([*words, "--model.decoder.threshold=0.3"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["match_radius_px"] == 9
    assert metrics["threshold"] == pytest.approx(0.3)


def test_no_calibration_is_warned_of(tested, spots, tmp_path, capsys):
    assert main(test_words(spots, tested, "--trainer.default_root_dir", str(tmp_path))) == 0
    out = capsys.readouterr()
    assert "holds no calibrated threshold: 0.5 is used" in out.out
    assert out.err == ""


def calibrate_words(spots, root, labels):
    words = test_words(spots, root, "--data.val_json", str(spots / labels))
    return ["calibrate", *words[1:]]


def test_calibrate_keeps_the_threshold_in_the_checkpoint(tested, spots, tmp_path, capsys):
    root = tmp_path / "run"
    shutil.copytree(tested, root)
    path = root / "checkpoints" / "best.ckpt"
    before = torch.load(path, weights_only=True)
    assert main(calibrate_words(spots, root, "test.json")) == 0
    after = torch.load(path, weights_only=True)
    chosen = after["carcloc"]["calibration"]
    assert (chosen["rule"], chosen["n_images"]) == ("exhaustive", 6)
    best = json.loads((root / "metrics_validate.json").read_text())
    assert chosen["threshold"] == pytest.approx(best["best_threshold"])
    assert before["carcloc"]["calibration"] is None
    assert all(torch.equal(before["state_dict"][name], tensor) for name, tensor in after["state_dict"].items())
    assert after["optimizer_states"][0]["param_groups"] == before["optimizer_states"][0]["param_groups"]
    assert (
        f"threshold of {path}: {chosen['threshold']:.3f}, the best F1 on 6 exhaustive frames" in capsys.readouterr().out
    )
    assert main(test_words(spots, root)) == 0
    metrics = json.loads((root / "metrics.json").read_text())
    assert metrics["threshold"] == pytest.approx(chosen["threshold"])
    assert metrics["f1"] == pytest.approx(metrics["best_f1"])
    assert "holds no calibrated threshold" not in capsys.readouterr().out
    assert carcinosis_loc.load(path).threshold == pytest.approx(chosen["threshold"])


def test_calibrate_refuses_where_labels_say_nothing(tested, spots, tmp_path, capsys):
    root = tmp_path / "run"
    shutil.copytree(tested, root)
    before = (root / "checkpoints" / "best.ckpt").read_bytes()
    assert_refused(main(calibrate_words(spots, root, "val.json")), capsys, "val.json", "too few labels")
    assert (root / "checkpoints" / "best.ckpt").read_bytes() == before


def test_validate_reports_what_sparse_labels_support(tested, spots, tmp_path, capsys):
    words = test_words(spots, tested, "--data.val_json", str(spots / "val.json"))
    words = ["validate", *words[1:], "--trainer.default_root_dir", str(tmp_path)]
    assert main(words) == 0
    metrics = json.loads((tmp_path / "metrics_validate.json").read_text())
    assert metrics["f1"] is None
    assert 0 <= metrics["recall_on_labelled"] <= 1
    assert "precision and F1 cannot be told" in capsys.readouterr().out


def test_predict_from_a_checkpoint_alone_and_python_agree(tested, spots, tmp_path):
    words = ["predict", "--ckpt_path", str(tested / "checkpoints" / "last.ckpt"), "--model.decoder.threshold", "0.05"]
    words += ["--data.predict_source", str(spots / "images"), "--trainer.default_root_dir", str(tmp_path)]
    assert main([*words, "--trainer.accelerator", "cpu"]) == 0
    with (tmp_path / "predictions" / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    images = json.loads((tmp_path / "predictions" / "images.json").read_text())["images"]
    assert len(images) == 23
    find = carcinosis_loc.load(tested / "checkpoints" / "last.ckpt")
    for image in images[:4]:
        peaks = find(spots / "images" / image["file_name"], threshold=0.05)
        written = [row for row in rows if row["file_name"] == image["file_name"]]
        assert len(peaks) == len(written)
        xy = np.array([[float(row["x"]), float(row["y"])] for row in written]).reshape(-1, 2)
        assert np.abs(np.sort(xy, 0) - np.sort(peaks.xy, 0)).max(initial=0) < 0.02


def test_resuming_goes_on_where_it_stopped(run, spots, tiny, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    words = fit_words(spots, tiny, tmp_path, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    assert main(words) == 0
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2


def test_fit_without_validation_has_a_best_checkpoint(spots, tiny, tmp_path):
    assert main(fit_words(spots, tiny, tmp_path, "--trainer.max_epochs", "1")) == 0
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_the_same_seed_gives_the_same_weights(spots, tiny, tmp_path):
    for name, workers in (("a", "0"), ("b", "1")):
        words = fit_words(spots, tiny, tmp_path / name, "--trainer.max_epochs", "1", "--data.num_workers", workers)
        assert main(words) == 0
    one, two = (torch.load(tmp_path / n / "checkpoints" / "last.ckpt", weights_only=True) for n in ("a", "b"))
    assert all(torch.equal(one["state_dict"][k], two["state_dict"][k]) for k in one["state_dict"])


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_config_parses(name, spots, tmp_path, capsys):
    """``--print_config`` parses it whole; those that only hold a network are stacked on another."""
    stacked = ["--config", "demo.yaml"] if name.startswith(("hrnet_w", "hrnet_small", "teacher", "multi_gpu")) else []
    assert main(["fit", *stacked, "--config", name, "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["model"]["net"]["class_path"] == "carcinosis_loc.models.HeatmapNet"


def test_the_papers_settings():
    folder = Path(__file__).parents[1] / "configs"
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


def assert_refused(code, capsys, *named):
    err = capsys.readouterr().err
    assert code == 2, err
    assert err.count("\n") == 1, err
    for name in named:
        assert name in err


def change(source, edit):
    data = json.loads(source.read_text())
    edit(data)
    return json.dumps(data)


def first_image(**values):
    def edit(data):
        for key, value in values.items():
            data["images"][0].pop(key) if value is None else data["images"][0].update({key: value})

    return edit


def first_annotation(**values):
    def edit(data):
        for key, value in values.items():
            data["annotations"][0].pop(key) if value is None else data["annotations"][0].update({key: value})

    return edit


def point(x, y):
    return first_annotation(keypoints=[x, y, 2])


BAD_LABELS = {
    "no JSON": "{",
    "no object": "[]",
    "no images": lambda d: d.pop("images"),
    "no annotations": lambda d: d.pop("annotations"),
    "twice the same image id": lambda d: d["images"][1].update(id=1),
    "twice the same annotation id": lambda d: d["annotations"][1].update(id=1),
    "unknown image": first_annotation(image_id=999),
    "NaN": point(float("nan"), 3),
    "infinite": point(3, float("inf")),
    "text for a number": point("three", 3),
    "outside": point(64.0, 3),
    "no keypoints": first_annotation(keypoints=None),
    "keypoints of length 4": first_annotation(keypoints=[1, 1, 2, 1]),
    "no file_name": first_image(file_name=None),
    "absolute file_name": first_image(file_name="/etc/hostname"),
    "file_name that leaves": first_image(file_name="../train.json"),
    "a missing image": first_image(file_name="nowhere.png"),
    "an image of another size": first_image(width=63),
    "several categories": lambda d: d["categories"].append({"id": 2, "name": "other"}),
    "no points at all": lambda d: d.update(annotations=[]),
    "no images at all": lambda d: d.update(images=[], annotations=[]),
}


@pytest.mark.parametrize("what", BAD_LABELS)
def test_bad_labels_are_refused_before_anything_is_written(what, spots, tiny, tmp_path, capsys):
    edit = BAD_LABELS[what]
    bad = tmp_path / "bad.json"
    bad.write_text(edit if isinstance(edit, str) else change(spots / "train.json", edit))
    words = fit_words(spots, tiny, tmp_path / "out", "--data.train_json", str(bad))
    assert_refused(main(words), capsys, "nowhere.png" if what == "a missing image" else "")
    assert os.listdir(tmp_path) == ["bad.json"]


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


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_nothing_is_scored_without_a_checkpoint(command, capsys):
    assert_refused(main([command, "--config", "demo.yaml"]), capsys, "--ckpt_path")


def test_what_a_command_needs_is_asked_for_by_its_flag(tested, tiny, capsys):
    checkpoint = str(tested / "checkpoints" / "best.ckpt")
    assert_refused(main(["test", "--ckpt_path", checkpoint]), capsys, "--data.test_json")
    assert_refused(main(["predict", "--ckpt_path", checkpoint]), capsys, "--data.predict_source")
    assert_refused(main(["fit", "--config", "demo.yaml"]), capsys, "--data.train_json")
    assert_refused(main(["fit"]), capsys, "--config demo.yaml")


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


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_run_that_is_stopped_says_so(name, code, spots, tiny, tmp_path):
    few = ("--trainer.max_epochs", "30000", "--data.samples_per_epoch", "8")
    words = fit_words(spots, tiny, tmp_path / "out", *few)
    # A shell that runs the tests in the background ignores SIGINT for them, and Python then leaves it at that.
    heard = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", heard + "from carcinosis_loc.cli import main; sys.exit(main())", *words]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (tmp_path / "out" / "checkpoints" / "last.ckpt").exists():
            break
        time.sleep(0.1)
    run.send_signal(getattr(signal, name))
    _, err = run.communicate(timeout=60)
    assert run.returncode == code, err
    assert err.count("\n") == 1
    assert "--ckpt_path last" in err


def test_a_misspelt_flag_is_guessed(capsys):
    assert_refused(
        main(["fit", "--config", "demo.yaml", "--data.train_jsn", "x"]), capsys, "did you mean --data.train_json?"
    )
    assert_refused(main(["fit", "--config", "demo.yaml", "--quite.another", "x"]), capsys, "--quite.another x")


def test_fit_without_validation_says_what_goes_without_it(spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path / "out", "--data.val_json", "null", "--trainer.max_epochs", "1")
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "no --data.val_json" in out
    assert "threshold of best.ckpt: 0.5, since there was nothing to choose it by" in out


def test_a_second_fit_does_not_overwrite_the_first(run, spots, tiny, capsys):
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    assert_refused(main(fit_words(spots, tiny, run)), capsys, "--ckpt_path last")
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before


def truncated(spots, tmp_path):
    """The data with one test image cut short: its header is whole."""
    shutil.copytree(spots, tmp_path / "data")
    victim = tmp_path / "data" / "images" / "test_3.png"
    victim.write_bytes(victim.read_bytes()[:2000])
    return tmp_path / "data"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_truncated_image_ends_the_test_and_leaves_no_figures(tested, spots, tmp_path, capsys, workers):
    data = truncated(spots, tmp_path)
    root = ["--trainer.default_root_dir", str(tmp_path / "out"), "--data.num_workers", workers]
    assert_refused(main(test_words(data, tested, *root)), capsys, "test_3.png")
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert not (tmp_path / "out" / "per_image.csv").exists()


def test_a_truncated_image_leaves_no_predictions(tested, spots, tmp_path, capsys):
    data = truncated(spots, tmp_path)
    words = ["predict", "--ckpt_path", str(tested / "checkpoints" / "best.ckpt"), "--data.num_workers", "0"]
    words += ["--data.predict_source", str(data / "images"), "--trainer.default_root_dir", str(tmp_path / "out")]
    assert_refused(main(words), capsys, "test_3.png")
    assert not (tmp_path / "out" / "predictions").exists()


def test_the_same_group_in_two_splits_is_warned_of(spots, tiny, tmp_path, capsys):
    for split in ("train", "val"):
        text = change(spots / f"{split}.json", first_image(group="patient-7"))
        (tmp_path / f"{split}.json").write_text(text)
    words = fit_words(spots, tiny, tmp_path / "out", "--data.val_json", str(tmp_path / "val.json"))
    words += ["--data.train_json", str(tmp_path / "train.json"), "--trainer.max_epochs", "1"]
    assert main(words) == 0
    out = capsys.readouterr()
    assert "patient-7" in out.out
    assert out.err == ""


def test_a_full_disk_is_one_line_and_leaves_nothing_torn(spots, tiny, tmp_path):
    """A limit on file size stands in for the disk: the first checkpoint does not fit."""
    code = (
        "import resource, sys\n"
        "from carcinosis_loc.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = fit_words(spots, tiny, tmp_path / "out", "--trainer.max_epochs", "1")
    out = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert out.returncode == 2, out.stderr
    assert out.stderr.count("\n") == 1
    assert list((tmp_path / "out").rglob("*.ckpt")) == []


def test_weights_and_biases_are_offline_and_silent_and_hold_the_dashboards(spots, tiny, tmp_path):
    """In a process of its own, whose standard error must stay empty."""
    words = fit_words(spots, tiny, tmp_path / "out", "--wandb", "offline", "--data.val_json", str(spots / "val.json"))
    command = [sys.executable, "-m", "carcinosis_loc", *words]
    out = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert out.stderr == ""
    (logs,) = (tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb")
    names = (b"train/loss", b"val/selection", b"lr-AdamW", b"val/pictures")
    until = time.monotonic() + 20
    while not all(name in logs.read_bytes() for name in names) and time.monotonic() < until:
        time.sleep(0.2)  # its own process writes the file
    for name in names:
        assert name in logs.read_bytes(), name
    assert not (tmp_path / "wandb").exists()
