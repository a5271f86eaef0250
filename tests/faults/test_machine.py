"""What can go wrong with a machine: the end is a clear line, and what was whole stays whole."""

import os
import resource
import shutil
import signal
import time
from functools import partial

import pytest
from jumping_clock import jump
from kills import compared
from launching import Job
from ranks import descendants
from sharing import shared
from tiny_run import fit_words

ENDLESS = ("--trainer.max_epochs", "3000")


@pytest.fixture
def start():
    """Starts carcloc; what still runs at the end of the test is killed."""
    jobs = []

    def started(words, before=None):
        jobs.append(Job(words, before=before))
        return jobs[-1]

    yield started
    for job in jobs:
        job.end()


def small_files(most_bytes):
    """Files may have so many bytes. A full disk looks the same to who writes."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def wait_for(happened, job):
    while job.poll() is None and not happened():
        time.sleep(0.02)
    assert happened(), job.communicate()[1]


def ends(job, code, *said):
    """It ends with this exit code and one line on stderr that says all this."""
    _, error = job.communicate(timeout=120)
    assert job.returncode == code, error
    assert error.count("\n") == 1, error
    for words in said:
        assert words in error


def ends_well(job):
    out, error = job.communicate(timeout=120)
    assert job.returncode == 0, error
    return out


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def epochs(spots, tiny, root, *more):
    """Without a cache: every step reads its images."""
    few = ("--trainer.max_epochs", "4", "--data.samples_per_epoch", "16", "--data.cache_mb", "0")
    return fit_words(spots, tiny, root, *few, *more)


@pytest.fixture(scope="session")
def calm(spots, tiny, tmp_path_factory):
    """What ``epochs`` comes to when nothing goes wrong."""
    return shared(tmp_path_factory, "calm", lambda folder: ends_well(Job(epochs(spots, tiny, folder))))


def test_a_full_disk_leaves_the_last_checkpoint_as_it_was(start, spots, tiny, tmp_path):
    root = tmp_path / "run"
    words = epochs(spots, tiny, root, *ENDLESS)
    stopped = start(words)
    wait_for((root / "checkpoints" / "last.ckpt").exists, stopped)
    stopped.send_signal(signal.SIGTERM)
    ends(stopped, 143, "--ckpt_path last")
    before = contents(root / "checkpoints")
    ends(start([*words, "--ckpt_path", "last"], small_files(500_000)), 2, "last.ckpt", "cannot be written")
    after = contents(root / "checkpoints")
    assert after[root / "checkpoints" / "last.ckpt"] == before[root / "checkpoints" / "last.ckpt"]
    assert set(after) <= {*before, root / "checkpoints" / "previous.ckpt"}, "nothing half written is left"


def test_predictions_on_a_full_disk_are_the_earlier_ones(start, fitted, spots, tmp_path):
    words = ["predict", "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(tmp_path), "--data.num_workers"]
    words += ["0", "--data.predict_source", str(spots / "images"), "--trainer.accelerator", "cpu"]
    ends_well(start(words))
    before = contents(tmp_path / "predictions")
    ends(start([*words, "--model.decoder.threshold", "0.001"], small_files(2_000)), 2, "cannot be written")
    assert contents(tmp_path / "predictions") == before
    assert not list(tmp_path.glob(".predictions*"))


def test_output_that_cannot_be_written(start, spots, tiny):
    ends(start(fit_words(spots, tiny, "/proc/carcloc")), 2, "/proc/carcloc")


def test_a_data_folder_that_vanishes_and_returns_changes_nothing(start, calm, spots, tiny, tmp_path):
    shutil.copytree(spots, tmp_path / "spots")
    job = start(epochs(tmp_path / "spots", tiny, tmp_path / "run", "--data.num_workers", "1"))
    wait_for((tmp_path / "run" / "checkpoints" / "last.ckpt").exists, job)
    (tmp_path / "spots").rename(tmp_path / "away")
    wait_for(lambda: "is gone; waiting up to 300 s" in job.said(), job)
    (tmp_path / "away").rename(tmp_path / "spots")
    ends_well(job)
    assert compared(calm, tmp_path / "run", "last") == []


def test_a_data_folder_that_stays_away_is_named(start, spots, tiny, tmp_path):
    shutil.copytree(spots, tmp_path / "spots")
    impatient = ("--data.patience_s", "0.5", "--data.num_workers", "1")
    job = start(epochs(tmp_path / "spots", tiny, tmp_path / "run", *ENDLESS, *impatient))
    wait_for((tmp_path / "run" / "checkpoints" / "last.ckpt").exists, job)
    shutil.rmtree(tmp_path / "spots")
    ends(job, 2, "was there when the run began, and is gone", str(tmp_path / "spots"))


def test_a_worker_that_is_killed_is_blamed_on_memory(start, spots, tiny, tmp_path):
    job = start(epochs(spots, tiny, tmp_path / "run", *ENDLESS, "--data.num_workers", "1"))
    wait_for((tmp_path / "run" / "checkpoints" / "last.ckpt").exists, job)
    workers = descendants(job.pid)
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    ends(job, 1, "a data-loading process was killed", "--data.num_workers", "--ckpt_path last")


def test_two_runs_in_one_folder(start, spots, tiny, tmp_path):
    words = epochs(spots, tiny, tmp_path / "run", *ENDLESS)
    first = start(words)
    wait_for((tmp_path / "run" / "checkpoints" / "last.ckpt").exists, first)
    ends(start([*words, "--ckpt_path", "last"]), 2, "another run is writing there", str(first.pid))
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    ends(first, 143, "--ckpt_path last")


def test_a_clock_that_jumps_changes_nothing(start, calm, spots, tiny, tmp_path):
    ends_well(start(epochs(spots, tiny, tmp_path / "run"), before=jump))
    assert compared(calm, tmp_path / "run", "last") == []


@pytest.mark.parametrize("command", ["test", "predict"])
def test_a_stopped_command_leaves_nothing_half_written(start, command, fitted, spots, tmp_path):
    words = [command, "--ckpt_path", str(fitted), "--trainer.default_root_dir", str(tmp_path / "out"), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), "--trainer.accelerator", "cpu", "--data.batch_size", "1"]
    words += ["--data.test_json", str(spots / "test.json")] if command == "test" else []
    words += ["--data.predict_source", str(spots / "images")] if command == "predict" else []
    job = start(words)
    wait_for((tmp_path / "out").exists, job)
    job.send_signal(signal.SIGTERM)
    _, error = job.communicate(timeout=60)
    assert job.returncode in (0, 143), error
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not any(".part" in name for name in left)
    if job.returncode == 143:
        assert error.count("\n") == 1
        assert not left & {"metrics.json", "predictions"}
