"""``carcloc fit``: what it leaves, how it goes on, what ends it."""

import csv
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from command_words import assert_refused, change, first_image, scoring_words
from tiny_run import fit_words

from carcinosis_loc.cli import main


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


def test_resuming_goes_on_where_it_stopped(run, spots, tiny, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    words = fit_words(spots, tiny, tmp_path, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    assert main(words) == 0
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2


def test_fit_without_validation_has_a_best_checkpoint(spots, tiny, tmp_path):
    assert main(fit_words(spots, tiny, tmp_path, "--trainer.max_epochs", "1")) == 0
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_fit_without_validation_says_what_goes_without_it(spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path / "out", "--data.val_json", "null", "--trainer.max_epochs", "1")
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "no --data.val_json" in out
    assert "threshold of best.ckpt: 0.5, since there was nothing to choose it by" in out


def test_the_same_seed_gives_the_same_weights(spots, tiny, tmp_path):
    for name, workers in (("a", "0"), ("b", "1")):
        words = fit_words(spots, tiny, tmp_path / name, "--trainer.max_epochs", "1", "--data.num_workers", workers)
        assert main(words) == 0
    one, two = (torch.load(tmp_path / n / "checkpoints" / "last.ckpt", weights_only=True) for n in ("a", "b"))
    assert all(torch.equal(one["state_dict"][k], two["state_dict"][k]) for k in one["state_dict"])


def test_a_second_fit_does_not_overwrite_the_first(run, spots, tiny, capsys):
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    assert_refused(main(fit_words(spots, tiny, run)), capsys, "--ckpt_path last")
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_run_that_is_stopped_says_so(name, code, spots, tiny, tmp_path):
    few = ("--trainer.max_epochs", "30000", "--data.samples_per_epoch", "8")
    words = fit_words(spots, tiny, tmp_path / "out", *few)
    # A shell that runs the tests in the background ignores SIGINT for them, and Python then leaves it at that.
    heard = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", heard + "from carcinosis_loc.cli import main; sys.exit(main())", *words]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(2000):
        if (tmp_path / "out" / "checkpoints" / "last.ckpt").exists():
            break
        time.sleep(0.1)
    run.send_signal(getattr(signal, name))
    _, err = run.communicate(timeout=60)
    assert run.returncode == code, err
    assert err.count("\n") == 1
    assert "--ckpt_path last" in err


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


def test_a_training_that_began_with_weights_leaves_a_checkpoint_like_any_other(run, spots, tiny, tmp_path):
    weights = tmp_path / "elsewhere" / "weights.v2.ckpt"
    weights.parent.mkdir()
    shutil.copy(run / "checkpoints" / "best.ckpt", weights)
    root = tmp_path / "out"
    begin = ["--model.net.init_args.init_checkpoint", str(weights), "--trainer.max_epochs", "1"]
    assert main(fit_words(spots, tiny, root, *begin)) == 0
    weights.unlink()
    recipe = torch.load(root / "checkpoints" / "best.ckpt", weights_only=True)["carcloc"]["recipe"]
    assert "elsewhere" not in str(recipe)
    assert main(scoring_words(spots, root)) == 0


def test_a_run_without_an_end_needs_no_schedule(spots, tiny, tmp_path, capsys):
    words = fit_words(spots, tiny, tmp_path / "out", "--trainer.max_epochs", "-1")
    assert_refused(main(words), capsys, "no end", "trainer.max_epochs")
