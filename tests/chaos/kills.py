"""Trainings that are killed at random moments and resumed, against one that was left in peace."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import torch
import yaml
from tiny_run import fit_words

TEACH = {
    "trainer": {
        "callbacks": [
            {"class_path": "lightning.pytorch.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.9}},
            {
                "class_path": "carcinosis_loc.callbacks.Teacher",
                "init_args": {"start": 0.2, "rounds": 3, "believe_from": 0.3, "sure": 0.3, "doubt": 0.05},
            },
        ]
    }
}
# All that decides how a training goes on, and what it ends with; the rest are paths.
KEPT = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers", "epoch")
KEPT += ("global_step", "carcloc")


class Training:
    """A short training with averaged weights and a teacher, validated on exhaustive frames, so that it teaches."""

    def __init__(self, spots: Path, tiny: str, folder: Path, epochs: int = 5) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        teach = folder / "teach.yaml"
        teach.write_text(yaml.safe_dump(TEACH))
        more = ["--config", str(teach), "--trainer.max_epochs", str(epochs), "--data.samples_per_epoch", "24"]
        more += ["--data.val_json", str(spots / "test.json")]
        self.words = lambda root: fit_words(spots, tiny, root, *more)

    def run(self, root: Path, seconds: float | None = None, resume: bool = False) -> int | None:
        """Exit code; None if it was killed after so many seconds."""
        words = [*self.words(root), *(["--ckpt_path", "last"] if resume else [])]
        run = subprocess.Popen(
            [sys.executable, "-m", "carcinosis_loc", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return None

    def survives(self, root: Path, moments: list[float], wanted: Path) -> list[str]:
        """Kill it at these moments, each counted from its start; what differs at the end from ``wanted``."""
        for number, moment in enumerate(moments):
            if self.run(root, moment, resume=number > 0) is not None:
                break
        else:
            code = self.run(root, resume=bool(moments))
            if code:
                return [f"exit code {code}"]
        torn = [str(path) for path in root.rglob("*") if path.suffix in (".tmp", ".part")]
        differs = [f"{name}: {place}" for name in ("best", "last") for place in compared(wanted, root, name)]
        return differs + [f"{path} is left over" for path in torn if not path.startswith(".")]


def compared(one: Path, other: Path, name: str) -> list[str]:
    """Places at which two runs' checkpoints of this name differ, bit for bit."""
    a, b = (torch.load(root / "checkpoints" / f"{name}.ckpt", weights_only=True) for root in (one, other))
    differs = [place for key in KEPT for place in _differences(a[key], b[key], key)]
    for key in a["callbacks"]:
        if key.startswith("Teacher"):
            differs += _differences(a["callbacks"][key], b["callbacks"][key], "teacher")
    return differs


def _differences(a: object, b: object, place: str) -> list[str]:
    if isinstance(a, torch.Tensor):
        return [] if isinstance(b, torch.Tensor) and torch.equal(a, b) else [place]
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [one for key in a for one in _differences(a[key], b[key], f"{place}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [one for number, (x, y) in pairs for one in _differences(x, y, f"{place}/{number}")]
    return [] if a == b else [place]


def moments(seed: int, longest: float) -> list[float]:
    """One or two moments of death, in seconds."""
    draw = random.Random(seed)
    return [draw.uniform(1.0, longest) for _ in range(draw.choice([1, 2]))]
