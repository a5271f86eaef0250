"""One answer on any number of processes; `make chaos` runs the slow ones too."""

import json
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
from ranks import (
    CARCLOC,
    ENVIRONMENT,
    descendants,
    largest_difference,
    run_forks,
    run_launched,
    run_nodes,
    shape,
    weights,
)
from tiny_run import fit_words

ONE_BY_ONE = ["--data.batch_size", "1", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
FROZEN = ["--model.net.init_args.backbone.init_args.frozen_batch_norm", "true"]
MANY = ["--config", "multi_gpu.yaml", "--trainer.accelerator", "cpu", "--trainer.sync_batchnorm", "false"]
SGD = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "0.1", "--model.scheduler", "null"]

alone = partial(run_forks, 1)


def ways(*cheap):
    """Ways to run on several processes; those that are not cheap are slow tests."""
    known = {
        "2 forks": partial(run_forks, 2),
        "3 forks": partial(run_forks, 3),
        "2 launched": partial(run_launched, 2),
        "2 nodes": partial(run_nodes, 2),
    }
    return [pytest.param(way, id=name, marks=() if name in cheap else pytest.mark.slow) for name, way in known.items()]


def scored(command, run, fitted, spots, root, batch_size="1"):
    """What a test or validation leaves: figures, and the table of frames."""
    words = [command, "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(root), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), *ONE_BY_ONE, "--data.batch_size", batch_size]
    words += [f"--data.{'test' if command == 'test' else 'val'}_json", str(spots / "test.json")]
    run(words)
    suffix = "" if command == "test" else "_validate"
    return json.loads((root / f"metrics{suffix}.json").read_text()), (root / f"per_image{suffix}.csv").read_text()


def score_frames_once_and_alike(command, run, fitted, spots, tmp_path):
    """Frames one by one have equal logits, and then all that is counted is equal to the bit."""
    one, frames = scored(command, alone, fitted, spots, tmp_path / "one")
    many, same_frames = scored(command, run, fitted, spots, tmp_path / "many")
    assert frames == same_frames
    for name in one:  # a mean of floats depends on the order that they are summed in
        assert many[name] == (pytest.approx(one[name], rel=1e-5) if name == "loss" else one[name]), name


@pytest.mark.parametrize("way", ways("2 forks"))
def test_every_frame_is_tested_once_and_alike(way, fitted, spots, tmp_path):
    score_frames_once_and_alike("test", way, fitted, spots, tmp_path)


@pytest.mark.parametrize("way", ways())
def test_every_frame_is_validated_once_and_alike(way, fitted, spots, tmp_path):
    score_frames_once_and_alike("validate", way, fitted, spots, tmp_path)


@pytest.mark.slow
def test_batches_that_differ_move_figures_by_rounding_alone(fitted, spots, tmp_path):
    one, _ = scored("test", alone, fitted, spots, tmp_path / "one", "6")
    two, _ = scored("test", partial(run_forks, 2), fitted, spots, tmp_path / "two", "4")
    assert two == pytest.approx(one, rel=1e-4, abs=1e-5)


def predicted(run, images, fitted, spots, root):
    """What a prediction on so many images leaves."""
    root.mkdir()
    few = json.loads((spots / "test.json").read_text())["images"][:images]
    (root / "few.json").write_text(json.dumps({"images": few}))
    words = ["predict", "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(root), *ONE_BY_ONE]
    words += ["--data.predict_source", str(root / "few.json"), "--data.image_dir", str(spots / "images")]
    run([*words, "--model.decoder.threshold", "0.03"])
    folder = root / "predictions"
    assert len(json.loads((folder / "images.json").read_text())["images"]) == images
    assert len(list((folder / "overlays").iterdir())) == images
    names = ("images.json", "predictions.json", "points.csv")
    overlays = {path.name: path.read_bytes() for path in (folder / "overlays").iterdir()}
    return [(folder / name).read_text() for name in names], overlays


@pytest.mark.parametrize("way", ways("3 forks"))
@pytest.mark.parametrize("images", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_predictions_are_written_once_and_in_order(images, way, fitted, spots, tmp_path):
    """Also where there are fewer images than processes."""
    one = predicted(alone, images, fitted, spots, tmp_path / "one")
    assert one == predicted(way, images, fitted, spots, tmp_path / "many")


def one_epoch(spots, tiny, root, *more):
    """SGD without momentum: a step is the gradient times a constant."""
    words = fit_words(spots, tiny, root, *SGD, *FROZEN, "--trainer.max_epochs", "1", "--data.samples_per_epoch", "12")
    return [*words, *more]


def largest_step(spots, tiny, tmp_path):
    """By how much the three steps of ``one_epoch`` in ``one`` move a weight, at most."""
    still = ("--model.optimizer.lr", "1e-12", "--trainer.limit_train_batches", "1")
    alone(one_epoch(spots, tiny, tmp_path / "start", "--data.batch_size", "4", *still))
    return largest_difference(weights(tmp_path / "start"), weights(tmp_path / "one"))


def test_the_gradient_of_two_processes_is_that_of_one(spots, tiny, tmp_path):
    """A batch of 4 on one process, and of 2 on each of two; some frames have no label at all."""
    alone(one_epoch(spots, tiny, tmp_path / "one", "--data.batch_size", "4"))
    run_forks(2, one_epoch(spots, tiny, tmp_path / "two", *MANY, "--data.batch_size", "2"))
    moved = largest_step(spots, tiny, tmp_path)
    difference = largest_difference(weights(tmp_path / "one"), weights(tmp_path / "two"))
    print(f"three steps move a weight by up to {moved:.3g}; one process and two differ by up to {difference:.3g}")
    assert moved > 1e-3
    assert difference < 1e-5 * max(1.0, moved)


@pytest.mark.slow
def test_three_processes_and_two_nodes(spots, tiny, tmp_path):
    alone(one_epoch(spots, tiny, tmp_path / "one", "--data.batch_size", "6"))
    run_forks(3, one_epoch(spots, tiny, tmp_path / "three", "--data.batch_size", "2"))
    run_launched(2, one_epoch(spots, tiny, tmp_path / "two", "--data.batch_size", "3"))
    run_nodes(2, one_epoch(spots, tiny, tmp_path / "nodes", "--data.batch_size", "3"))
    one = weights(tmp_path / "one")
    for name in ("two", "three", "nodes"):
        difference = largest_difference(one, weights(tmp_path / name))
        print(f"{name}: weights differ by up to {difference:.3g}")
        assert difference < 1e-5, name
    assert largest_difference(weights(tmp_path / "two"), weights(tmp_path / "nodes")) == 0


def exists(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["the first", "another"])
def test_no_rank_waits_for_ever_for_a_dead_one(victim, spots, tiny, tmp_path):
    words = fit_words(spots, tiny, tmp_path / "run", "--trainer.max_epochs", "30000")
    command = [*CARCLOC, *words, *shape(2)]
    job = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while job.poll() is None and not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.05)
    others = descendants(job.pid)
    ranks = [pid for pid in others if b"carcinosis_loc" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert ranks
    os.kill(job.pid if victim == "the first" else ranks[0], signal.SIGKILL)
    _, error = job.communicate(timeout=60)
    assert job.returncode != 0
    deadline = time.monotonic() + 60
    while any(map(exists, others)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in others if exists(pid)]
    if victim == "another":
        assert "another process of this run has ended" in error, error
        assert "Traceback" not in error
