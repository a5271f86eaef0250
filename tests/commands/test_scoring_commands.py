"""``carcloc test``, ``validate``, ``calibrate`` and ``predict`` end to end on drawn spots."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_words import assert_refused, calibrate_words, scoring_words
from lightning.pytorch.strategies import Strategy
from tiny_run import fit_words

import carcinosis_loc
from carcinosis_loc import calibration_command
from carcinosis_loc.callbacks import inference
from carcinosis_loc.cli import main
from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.metrics.sureness import Sureness
from carcinosis_loc.models import ManyViews


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
        assert main(scoring_words(spots, tested, "--model.decoder.threshold", str(value), *out)) == 0
        assert json.loads((tmp_path / "metrics.json").read_text())["threshold"] == pytest.approx(value)


def test_a_config_beats_the_checkpoint_and_a_flag_beats_both(tested, spots, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("model: {match_radius_px: 9.0, decoder: {threshold: 0.2}}\n")
    words = scoring_words(spots, tested, "--config", str(config), "--trainer.default_root_dir", str(tmp_path))
    assert main([*words, "--model.decoder.threshold=0.3"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["match_radius_px"] == 9
    assert metrics["threshold"] == pytest.approx(0.3)


def test_no_calibration_is_warned_of(tested, spots, tmp_path, capsys):
    assert main(scoring_words(spots, tested, "--trainer.default_root_dir", str(tmp_path))) == 0
    out = capsys.readouterr()
    assert "holds no calibrated threshold: 0.5 is used" in out.out
    assert out.err == ""


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
    assert main(scoring_words(spots, root)) == 0
    metrics = json.loads((root / "metrics.json").read_text())
    assert metrics["threshold"] == pytest.approx(chosen["threshold"])
    assert metrics["f1"] == pytest.approx(metrics["best_f1"])
    told = capsys.readouterr().out
    assert "holds no calibrated threshold" not in told
    assert "(rule: exhaustive)" in told  # a test says where its threshold comes from
    assert carcinosis_loc.load(path).threshold == pytest.approx(chosen["threshold"])


def test_a_threshold_that_is_sure_does_not_give_way_to_one_that_is_not(tested, tmp_path, capsys):
    path = Path(shutil.copy(tested / "checkpoints" / "best.ckpt", tmp_path))
    scale = ScoreScale(1.0, 0.0)
    found = {
        "sure": Calibration(0.25, "valley", 6, 30, scale, Sureness(0.2, 0.3, 1.0)),
        "not sure": Calibration(0.01, "valley", 6, 30, scale, Sureness(0.01, 0.9, 0.6)),
        "few whole": Calibration(0.5, "exhaustive", 2, 30, scale, Sureness(0.05, 0.9, 1.0)),
    }
    told = []
    found["not sure, from 8 sides"] = replace(found["not sure"], look=Look(8))
    for kind in ("not sure", "sure", "not sure", "not sure, from 8 sides", "few whole"):
        calibration_command._settle(path, found[kind])
        told.append((carcinosis_loc.load(path).threshold, capsys.readouterr().out.splitlines()))
    assert [threshold for threshold, _ in told] == [0.01, 0.25, 0.25, 0.25, 0.5]
    assert "before: 0.010" in told[1][1][-1]
    assert told[2][1][-2].startswith(f"threshold of {path} stays: 0.250")
    assert told[2][1][-1].endswith("--model.decoder.threshold 0.010 takes it all the same")
    assert told[3][1][-1].endswith(
        "--model.decoder.threshold 0.010 --inference.views 8 --inference.scales [1.0] takes it all the same"
    )


def test_what_is_known_of_the_labels_reaches_the_rules(tested, spots, tmp_path, monkeypatch):
    root, asked, real = tmp_path / "run", [], calibration_command.calibrate
    shutil.copytree(tested, root)
    monkeypatch.setattr(calibration_command, "calibrate", lambda *a, **known: asked.append(known) or real(*a, **known))
    assert main([*calibrate_words(spots, root, "test.json"), "--model.labels_at_random", "false"]) == 0
    assert asked == [{"labels_at_random": False}]


def test_a_threshold_knows_from_how_many_sides_it_was_chosen(tested, spots, tmp_path, capsys):
    root = tmp_path / "run"
    shutil.copytree(tested, root)
    path = root / "checkpoints" / "best.ckpt"
    assert main([*calibrate_words(spots, root, "test.json"), "--inference.views", "4"]) == 0
    assert "seen from 4 sides" in capsys.readouterr().out
    assert carcinosis_loc.load(path).net.views == carcinosis_loc.load(path).calibration.look.views == 4
    assert not isinstance(carcinosis_loc.load(path, views=1).net, ManyViews)
    figures = []
    for more in ([], ["--inference.views", "4"], ["--inference.views", "1"]):
        out = ["--trainer.default_root_dir", str(tmp_path / "out"), *more]
        assert main(scoring_words(spots, root, *out)) == 0
        metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
        figures.append((metrics["views"], metrics["average_precision"]))
        assert ("chosen looking from 4 sides, not from 1 side;" in capsys.readouterr().out) == (more[-1:] == ["1"])
    assert [views for views, _ in figures] == [4, 4, 1]
    assert figures[0] == figures[1]
    assert figures[0][1] != figures[2][1]
    assert_refused(
        main(["export", str(path), str(tmp_path / "m.ts")]), capsys, "looking from 4 sides", "--inference.views 1"
    )
    assert main(calibrate_words(spots, root, "test.json")) == 0  # as before, if nothing is said
    assert carcinosis_loc.load(path).calibration.look.views == 4
    assert main([*calibrate_words(spots, root, "test.json"), "--inference.views", "1"]) == 0
    assert carcinosis_loc.load(path).calibration.look.views == 1


def test_the_help_of_calibrate_is_its_own(capsys):
    assert main(["calibrate", "--help"]) == 0
    assert "into the file C itself" in capsys.readouterr().out
    assert_refused(main(["calibrate"]), capsys, "carcloc calibrate: --ckpt_path")


def test_calibrate_refuses_where_labels_say_nothing(tested, spots, tmp_path, capsys):
    root = tmp_path / "run"
    shutil.copytree(tested, root)
    before = (root / "checkpoints" / "best.ckpt").read_bytes()
    assert_refused(main(calibrate_words(spots, root, "val.json")), capsys, "val.json", "too few labels")
    assert (root / "checkpoints" / "best.ckpt").read_bytes() == before


def test_validate_reports_what_sparse_labels_support(tested, spots, tmp_path, capsys):
    words = scoring_words(spots, tested, "--data.val_json", str(spots / "val.json"))
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
    assert_refused(main(scoring_words(data, tested, *root)), capsys, "test_3.png")
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert not (tmp_path / "out" / "per_image.csv").exists()


def test_a_truncated_image_leaves_no_predictions(tested, spots, tmp_path, capsys):
    data = truncated(spots, tmp_path)
    words = ["predict", "--ckpt_path", str(tested / "checkpoints" / "best.ckpt"), "--data.num_workers", "0"]
    words += ["--data.predict_source", str(data / "images"), "--trainer.default_root_dir", str(tmp_path / "out")]
    assert_refused(main(words), capsys, "test_3.png")
    assert not (tmp_path / "out" / "predictions").exists()


def test_fit_chooses_for_the_look_that_it_is_told(spots, tiny, tmp_path, capsys):
    look = ["--inference.views", "2", "--inference.scales", "[1,1.5]"]
    words = fit_words(spots, tiny, tmp_path / "run", "--data.val_json", str(spots / "test.json"), *look)
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "seen from 2 sides at scales 1, 1.5" in told
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    chosen = carcinosis_loc.load(path).calibration
    assert chosen.look == Look(2, (1.0, 1.5))
    assert carcinosis_loc.load(path.with_name("last.ckpt")).calibration.look == ONCE  # a training goes on with it
    assert main([*calibrate_words(spots, tmp_path / "run", "test.json"), *look]) == 0
    assert carcinosis_loc.load(path).calibration.threshold == pytest.approx(chosen.threshold, abs=1e-6)
    words = fit_words(spots, tiny, tmp_path / "other", "--inference.scales", "[7]")
    assert_refused(main(words), capsys, "scales must lie between")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("more", [["--data.val_json", "sparse"], ["--trainer.enable_checkpointing", "false"], []])
def test_fit_says_so_where_there_is_nothing_to_choose_for_a_look(more, spots, tiny, tmp_path, capsys):
    more = [str(spots / "val.json") if word == "sparse" else word for word in more]
    words = fit_words(spots, tiny, tmp_path, "--inference.views", "2", "--trainer.max_epochs", "1", *more)
    assert main(words) == 0
    told = capsys.readouterr()
    (line,) = [line for line in (told.out + told.err).splitlines() if "inference: there was nothing" in line]
    assert "carcloc calibrate with --inference.views 2 --inference.scales [1.0]" in line


def test_a_trial_leaves_the_best_checkpoint_of_a_run_alone(spots, tiny, tmp_path):
    exhaustive = ["--data.val_json", str(spots / "test.json")]
    assert main(fit_words(spots, tiny, tmp_path, *exhaustive)) == 0
    path = tmp_path / "checkpoints" / "best.ckpt"
    before = path.read_bytes()
    more = ["--ckpt_path", "last", "--trainer.max_epochs", "3", "--trainer.fast_dev_run", "true"]
    assert main(fit_words(spots, tiny, tmp_path, *exhaustive, *more, "--inference.views", "2")) == 0
    assert path.read_bytes() == before


def test_tiles_that_hold_nothing_are_refused_before_a_training(spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path, "--inference.views", "2", "--inference.tile_px", "100")
    assert_refused(main(words), capsys, "--inference: a tile of 100 px", "enlarge tile_px")
    assert not (tmp_path / "checkpoints").exists()


def test_the_final_look_comes_while_the_trainer_still_has_its_devices(spots, tiny, tmp_path, monkeypatch):
    """Lightning takes them down before ``on_fit_end``."""
    gone = []
    real = Strategy.teardown
    monkeypatch.setattr(Strategy, "teardown", lambda strategy: gone.append(1) or real(strategy))
    choose = inference.choose_looking
    asked = []
    monkeypatch.setattr(inference, "choose_looking", lambda *a, **b: asked.append(len(gone)) or choose(*a, **b))
    exhaustive = ["--data.val_json", str(spots / "test.json"), "--trainer.max_epochs", "1"]
    assert main(fit_words(spots, tiny, tmp_path, *exhaustive, "--inference.views", "2")) == 0
    assert asked == [0]
    assert gone
