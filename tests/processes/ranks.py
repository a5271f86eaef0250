"""Runs of carcloc on several processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from launching import Job

CARCLOC = [sys.executable, "-m", "carcinosis_loc"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
PATIENCE_S = 240  # a rank that waits for ever fails here


def shape(n: int) -> list[str]:
    """The options for ``n`` processes on this machine."""
    return ["--trainer.devices", str(n), "--trainer.strategy", "ddp" if n > 1 else "auto"]


def run_forks(n: int, words: list[str]) -> None:
    """On ``n`` processes that are there already, as under a cluster's launcher; all must succeed."""
    port = free_port()
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"} if n > 1 else {}
    jobs = [Job([*words, *shape(n)], meet | ({"LOCAL_RANK": str(rank)} if n > 1 else {})) for rank in range(n)]
    try:
        said = ["".join(job.communicate(timeout=PATIENCE_S)) for job in jobs]
        assert [job.returncode for job in jobs] == [0] * n, "\n".join(said)
    finally:
        for job in jobs:
            job.end()


def run_launched(n: int, words: list[str]) -> None:
    """On ``n`` processes that carcloc starts itself, as at a prompt."""
    command = [*CARCLOC, *words, *shape(n)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr


def run_nodes(n: int, words: list[str]) -> None:
    """By torchrun on ``n`` "nodes" of one process each, all of them on this machine."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(n), "--nproc-per-node", "1"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    nodes_shape = ["--trainer.num_nodes", str(n), "--trainer.devices", "1", "--trainer.strategy", "ddp"]
    nodes = [
        subprocess.Popen(
            [*torchrun, "--node-rank", str(node), "-m", "carcinosis_loc", *words, *nodes_shape],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(n)
    ]
    said = [node.communicate(timeout=PATIENCE_S)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0] * n, "\n".join(said)


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def weights(root: Path) -> dict[str, torch.Tensor]:
    """Weights at the end of a run."""
    content = torch.load(root / "checkpoints" / "last.ckpt", weights_only=True)
    return content["current_model_state"] if "current_model_state" in content else content["state_dict"]


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Largest difference of any weight."""
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def descendants(pid: int) -> list[int]:
    """Process ids of all children, theirs too."""
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [one for child in children for one in descendants(child)]
