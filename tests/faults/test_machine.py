"""What can go wrong with a machine: the end is a clear line, and what was whole stays whole."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import compared
from ranks import descendants
from tiny_run import fit_words

CARCLOC = [sys.executable, "-m", "carcinosis_loc"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def start(words, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*CARCLOC, *words], env=ENVIRONMENT, **pipes | options)


def wait_for(path, job):
    while job.poll() is None and not path.exists():
        time.sleep(0.02)
    assert path.exists(), job.communicate()[1]


def ends(job, code, *said):
    """It ends with this exit code and one line on stderr that says all this."""
    _, error = job.communicate(timeout=120)
    assert job.returncode == code, error
    assert error.count("\n") == 1, error
    for words in said:
        assert words in error


def a_small_disk():
    """Files may have half a megabyte; a checkpoint has more. A full disk looks the same to who writes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


def test_a_full_disk_leaves_the_last_checkpoint_as_it_was(run, spots, tiny, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    checkpoints = tmp_path / "run" / "checkpoints"
    before = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    words = fit_words(spots, tiny, tmp_path / "run", "--trainer.max_epochs", "4", "--ckpt_path", "last")
    ends(start([*words, "--data.samples_per_epoch", "8"], preexec_fn=a_small_disk), 2, "last.ckpt", "cannot be written")
    after = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    assert after["last.ckpt"] == before["last.ckpt"]
    assert after["best.ckpt"] == before["best.ckpt"]
    assert set(after) == set(before), "nothing half written is left"


def test_predictions_on_a_full_disk_are_the_earlier_ones(fitted, spots, tmp_path):
    words = ["predict", "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(tmp_path), "--data.num_workers"]
    words += ["0", "--data.predict_source", str(spots / "images"), "--trainer.accelerator", "cpu"]
    ends_well(start(words))
    before = {path: path.read_bytes() for path in (tmp_path / "predictions").rglob("*") if path.is_file()}

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    ends(start([*words, "--model.decoder.threshold", "0.001"], preexec_fn=no_room), 2, "cannot be written")
    assert {path: path.read_bytes() for path in (tmp_path / "predictions").rglob("*") if path.is_file()} == before
    assert not list(tmp_path.glob(".predictions*"))


def ends_well(job):
    _, error = job.communicate(timeout=120)
    assert job.returncode == 0, error
    return error


def test_output_that_cannot_be_written(spots, tiny):
    ends(start(fit_words(spots, tiny, "/proc/carcloc")), 2, "/proc/carcloc")


def epochs(spots, tiny, root, *more):
    """Without a cache: every step reads its images."""
    few = ("--trainer.max_epochs", "4", "--data.samples_per_epoch", "48", "--data.cache_mb", "0")
    return fit_words(spots, tiny, root, *few, *more)


def test_a_data_folder_that_vanishes_and_returns_changes_nothing(spots, tiny, tmp_path):
    shutil.copytree(spots, tmp_path / "spots")
    words = epochs(tmp_path / "spots", tiny, tmp_path / "calm")
    ends_well(start(words))
    job = start(epochs(tmp_path / "spots", tiny, tmp_path / "run", "--data.num_workers", "1"))
    wait_for(tmp_path / "run" / "checkpoints" / "last.ckpt", job)
    (tmp_path / "spots").rename(tmp_path / "away")
    time.sleep(2)
    assert job.poll() is None, job.communicate()[1]
    (tmp_path / "away").rename(tmp_path / "spots")
    out, error = job.communicate(timeout=120)
    assert job.returncode == 0, error
    assert "is gone; waiting up to 300 s" in out
    assert compared(tmp_path / "calm", tmp_path / "run", "last") == []


def test_a_data_folder_that_stays_away_is_named(spots, tiny, tmp_path):
    shutil.copytree(spots, tmp_path / "spots")
    long = ("--trainer.max_epochs", "3000", "--data.patience_s", "1", "--data.num_workers", "1")
    job = start(epochs(tmp_path / "spots", tiny, tmp_path / "run", *long))
    wait_for(tmp_path / "run" / "checkpoints" / "last.ckpt", job)
    shutil.rmtree(tmp_path / "spots")
    ends(job, 2, "was there when the run began, and is gone", str(tmp_path / "spots"))


def test_a_worker_that_is_killed_is_blamed_on_memory(spots, tiny, tmp_path):
    job = start(epochs(spots, tiny, tmp_path / "run", "--data.num_workers", "1", "--trainer.max_epochs", "3000"))
    wait_for(tmp_path / "run" / "checkpoints" / "last.ckpt", job)
    for pid in descendants(job.pid):
        if b"carcinosis_loc" in Path(f"/proc/{pid}/cmdline").read_bytes():  # a fork of it: the worker
            os.kill(pid, signal.SIGKILL)
    ends(job, 1, "a data-loading process was killed", "--data.num_workers", "--ckpt_path last")


def test_two_runs_in_one_folder(spots, tiny, tmp_path):
    words = epochs(spots, tiny, tmp_path / "run", "--trainer.max_epochs", "3000")
    first = start(words)
    wait_for(tmp_path / "run" / "checkpoints" / "last.ckpt", first)
    ends(start([*words, "--ckpt_path", "last"]), 2, "another run is writing there", str(first.pid))
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    ends(first, 143, "--ckpt_path last")


JUMPS = """
import time
real, calls = time.time, [0]
def jumping():
    calls[0] += 1
    return real() + (-1) ** calls[0] * 3e6 * (calls[0] % 7)
time.time = jumping
"""


def test_a_clock_that_jumps_changes_nothing(spots, tiny, tmp_path):
    """By a month, forth and back, each time that anyone asks."""
    (tmp_path / "sitecustomize.py").write_text(JUMPS)
    ends_well(start(epochs(spots, tiny, tmp_path / "calm")))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    job = start(epochs(spots, tiny, tmp_path / "run"), env=ENVIRONMENT | {"PYTHONPATH": path})
    ends_well(job)
    assert compared(tmp_path / "calm", tmp_path / "run", "last") == []


@pytest.mark.parametrize("command", ["test", "predict"])
def test_a_stopped_command_leaves_nothing_half_written(command, fitted, spots, tmp_path):
    words = [command, "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(tmp_path / "out"), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), "--trainer.accelerator", "cpu", "--data.batch_size", "1"]
    words += ["--data.test_json", str(spots / "test.json")] if command == "test" else []
    words += ["--data.predict_source", str(spots / "images")] if command == "predict" else []
    job = start(words)
    wait_for(tmp_path / "out", job)
    job.send_signal(signal.SIGTERM)
    _, error = job.communicate(timeout=60)
    assert job.returncode in (0, 143), error
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not any(".part" in name for name in left)
    if job.returncode == 143:
        assert error.count("\n") == 1
        assert not left & {"metrics.json", "predictions"}
