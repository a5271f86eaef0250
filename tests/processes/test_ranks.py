"""One answer on any number of processes; `make chaos` runs the slow ones too."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ranks import CARCLOC, ENVIRONMENT, descendants, largest_difference, on_processes, run, run_on_nodes, weights
from tiny_run import fit_words

ONE_BY_ONE = ["--data.batch_size", "1", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
FROZEN = ["--model.net.init_args.backbone.init_args.frozen_batch_norm", "true"]
SGD = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "0.1", "--model.scheduler", "null"]


def scored(command, fitted, spots, root, processes, batch_size="1"):
    """What a test or validation leaves: figures, and the table of frames."""
    words = [command, "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(root), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), *ONE_BY_ONE, "--data.batch_size", batch_size]
    words += [f"--data.{'test' if command == 'test' else 'val'}_json", str(spots / "test.json")]
    run(on_processes(processes, words))
    suffix = "" if command == "test" else "_validate"
    return json.loads((root / f"metrics{suffix}.json").read_text()), (root / f"per_image{suffix}.csv").read_text()


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", ["test", pytest.param("validate", marks=pytest.mark.slow)])
def test_every_frame_is_scored_once_and_alike(command, processes, fitted, spots, tmp_path):
    """Frames one by one have equal logits, and then all that is counted is equal to the bit."""
    alone, frames = scored(command, fitted, spots, tmp_path / "one", 1)
    together, same_frames = scored(command, fitted, spots, tmp_path / "many", processes)
    assert frames == same_frames
    for name in alone:  # a mean of floats depends on the order that they are summed in
        assert together[name] == (pytest.approx(alone[name], rel=1e-5) if name == "loss" else alone[name]), name


@pytest.mark.slow
def test_batches_that_differ_move_figures_by_rounding_alone(fitted, spots, tmp_path):
    alone, _ = scored("test", fitted, spots, tmp_path / "one", 1, "6")
    together, _ = scored("test", fitted, spots, tmp_path / "two", 2, "4")
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("processes", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_predictions_are_written_once_and_in_order(processes, fitted, spots, tmp_path):
    """Also where there are fewer images than processes."""
    for count in (2, 5):
        few = json.loads((spots / "test.json").read_text())
        few["images"] = few["images"][:count]
        (tmp_path / "few.json").write_text(json.dumps({"images": few["images"]}))
        written = []
        for n in (1, processes):
            root = tmp_path / f"{count}_{n}"
            words = ["predict", "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(root), *ONE_BY_ONE]
            words += ["--data.predict_source", str(tmp_path / "few.json"), "--data.image_dir", str(spots / "images")]
            run(on_processes(n, [*words, "--model.decoder.threshold", "0.03"]))
            names = ("predictions.json", "points.csv")
            listed = json.loads((root / "predictions" / "images.json").read_text())["images"]
            overlays = sorted(path.name for path in (root / "predictions" / "overlays").iterdir())
            written.append([(root / "predictions" / name).read_text() for name in names] + [listed, overlays])
        assert written[0] == written[1]
        assert len(written[0][2]) == len(written[0][3]) == count


def one_epoch(spots, tiny, root, *more):
    """SGD without momentum: a step is the gradient times a constant."""
    words = fit_words(spots, tiny, root, *SGD, *FROZEN, "--trainer.max_epochs", "1", "--data.samples_per_epoch", "12")
    return [*words, *more]


def test_the_gradient_of_two_processes_is_that_of_one(spots, tiny, tmp_path):
    """A batch of 4 on one process, and of 2 on each of two; some frames have no label at all."""
    run(on_processes(1, one_epoch(spots, tiny, tmp_path / "one", "--data.batch_size", "4")))
    run(on_processes(2, one_epoch(spots, tiny, tmp_path / "two", "--data.batch_size", "2")))
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    start = one_epoch(spots, tiny, tmp_path / "start", "--data.batch_size", "4", "--model.optimizer.lr", "1e-12")
    run(on_processes(1, start))
    moved = largest_difference(weights(tmp_path / "start"), one)
    difference = largest_difference(one, two)
    print(f"three steps move a weight by up to {moved:.3g}; one process and two differ by up to {difference:.3g}")
    assert moved > 1e-3
    assert difference < 1e-5 * max(1.0, moved)


@pytest.mark.slow
def test_three_processes_and_two_nodes(spots, tiny, tmp_path):
    run(on_processes(1, one_epoch(spots, tiny, tmp_path / "one", "--data.batch_size", "6")))
    run(on_processes(3, one_epoch(spots, tiny, tmp_path / "three", "--data.batch_size", "2")))
    run(on_processes(2, one_epoch(spots, tiny, tmp_path / "two", "--data.batch_size", "3")))
    run_on_nodes(2, one_epoch(spots, tiny, tmp_path / "nodes", "--data.batch_size", "3"))
    one = weights(tmp_path / "one")
    for name in ("two", "three", "nodes"):
        assert largest_difference(one, weights(tmp_path / name)) < 1e-5, name
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
    command = on_processes(2, words)
    assert command[: len(CARCLOC)] == CARCLOC
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
        assert "process" in error
