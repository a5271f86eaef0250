"""SLURM pre-empts a job: Lightning's auto-requeue, at a batch's end, and the same command once more."""

import os
import signal
import time

import pytest
from kills import compared
from launching import Job

SLURM = {"SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "carcloc", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
SLURM |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "SLURM_NTASKS_PER_NODE": "1"}


@pytest.fixture
def cluster(tmp_path):
    """The environment of a SLURM job, with a scontrol that writes down what it is asked."""
    asked = tmp_path / "asked"
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> "{asked}"\n')
    scontrol.chmod(0o755)
    path = f"{scontrol.parent}{os.pathsep}{os.environ['PATH']}"
    return SLURM | {"PATH": path}, asked


def test_a_requeued_job_goes_on_exactly(undisturbed, cluster, tmp_path):
    training, wanted, _ = undisturbed
    environment, asked = cluster
    words = training.words(tmp_path / "run")
    job = Job(words, environment)
    while job.poll() is None and not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    while job.poll() is None and not asked.exists():
        time.sleep(0.01)
    assert asked.read_text() == "requeue 77\n"
    assert (tmp_path / "run" / "hpc_ckpt_1.ckpt").exists()
    job.send_signal(signal.SIGTERM)  # what SLURM sends next
    _, error = job.communicate(timeout=60)
    assert job.returncode == 143, error
    again = Job(words, environment | {"SLURM_RESTART_COUNT": "1"})
    _, error = again.communicate(timeout=120)
    assert again.returncode == 0, error
    assert [place for name in ("best", "last") for place in compared(wanted, tmp_path / "run", name)] == []
