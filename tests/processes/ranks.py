"""Runs of carcloc on several processes, as a user starts them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

CARCLOC = [sys.executable, "-m", "carcinosis_loc"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def on_processes(n: int, words: list[str]) -> list[str]:
    """The command line that runs ``words`` on ``n`` processes of this machine."""
    return [*CARCLOC, *words, "--trainer.devices", str(n), "--trainer.strategy", "ddp" if n > 1 else "auto"]


def run(command: list[str]) -> None:
    """Run it; it must succeed, and within two minutes: a rank that waits for ever fails here."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def run_on_nodes(n: int, words: list[str]) -> None:
    """The same by torchrun on ``n`` "nodes" of one process each, all of them on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(n), "--nproc-per-node", "1"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    shape = ["--trainer.num_nodes", str(n), "--trainer.devices", "1", "--trainer.strategy", "ddp"]
    nodes = [
        subprocess.Popen(
            [*torchrun, "--node-rank", str(node), "-m", "carcinosis_loc", *words, *shape],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(n)
    ]
    said = [node.communicate(timeout=180)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0] * n, "\n".join(said)


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
