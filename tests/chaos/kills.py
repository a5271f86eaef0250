"""Trainings that are struck at random moments and resumed, against one that was left in peace."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from launching import Job
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
# All that decides how a training goes on, and what it ends with.
KEPT = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers", "epoch")
KEPT += ("global_step", "carcloc")


@dataclass(frozen=True)
class Blow:
    """What happens to a training.

    Attributes:
        kind: "kill" (SIGKILL), "kill while writing" (SIGKILL when a checkpoint is half written), "term" (SIGTERM),
            "tear" (SIGKILL, and the disk loses or changes a byte of ``last.ckpt``).
        after: seconds from its start.
    """

    kind: str
    after: float

    def __str__(self) -> str:
        return f"{self.kind} after {self.after:.1f} s"

    def strike(self, run: Job, root: Path) -> None:
        """Do it to a process that writes into ``root``."""
        if self.kind == "kill while writing":
            while run.poll() is None and not half_written(root):
                time.sleep(0.0002)
        if self.kind == "term":
            run.send_signal(signal.SIGTERM)
            run.wait(60)
            return
        run.end()
        if self.kind == "tear":
            self.tear(root / "checkpoints" / "last.ckpt")

    def tear(self, path: Path) -> None:
        """Cut the file, or change a byte of it."""
        if not path.is_file():
            return
        content = bytearray(path.read_bytes())
        at = int(len(content) * (self.after % 1))
        if int(self.after * 10) % 2:
            content = content[:at]
        else:
            content[at] ^= 0xFF
        path.unlink()  # previous.ckpt may be the same file under another name
        path.write_bytes(content)


class Training:
    """A short training with averaged weights and a teacher, validated on exhaustive frames, so that it teaches."""

    def __init__(self, spots: Path, tiny: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        teach = folder / "teach.yaml"
        teach.write_text(yaml.safe_dump(TEACH))
        more = ["--config", str(teach), "--trainer.max_epochs", "5", "--data.samples_per_epoch", "16"]
        more += ["--data.val_json", str(spots / "test.json")]
        self.words = lambda root: fit_words(spots, tiny, root, *more)
        self.torn_writes = 0  # how often a blow fell while a checkpoint was half written
        self.said = ""  # what the last one said on stderr

    def run(self, root: Path, blow: Blow | None = None, resume: bool = False) -> int:
        """Run it, or go on with it, and strike; the exit code."""
        run = Job([*self.words(root), *(["--ckpt_path", "last"] if resume else [])])
        try:
            run.wait(blow.after if blow else None)
        except subprocess.TimeoutExpired:
            assert blow is not None
            blow.strike(run, root)
            self.torn_writes += half_written(root)
        _, self.said = run.communicate()
        return run.wait()

    def run_anew(self, root: Path) -> int:
        """Go on with it to its end in a new interpreter, which has another order of hashes."""
        command = [sys.executable, "-m", "carcinosis_loc", *self.words(root), "--ckpt_path", "last"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, **silent).returncode

    def survives(self, root: Path, blows: list[Blow], wanted: Path, anew: bool = False) -> list[str]:
        """Strike it, resuming each time; what differs at the end from ``wanted``."""
        for number, blow in enumerate(blows):
            code = self.run(root, blow, resume=number > 0)
            if code not in (0, 143, -signal.SIGTERM, -signal.SIGKILL):
                return [f"exit code {code} after {blow}: {self.said}"]
        code = self.run_anew(root) if anew else self.run(root, resume=True)
        if code:
            return [f"exit code {code}: {self.said}"]
        differs = [f"{name}: {place}" for name in ("best", "last") for place in compared(wanted, root, name)]
        return differs + [f"{path} is left over" for path in root.rglob(".*.part*")]


def half_written(root: Path) -> bool:
    """Whether there is a checkpoint whose writing has begun and not ended."""
    return any((root / "checkpoints").glob(".*.part.ckpt"))


def compared(one: Path, other: Path, name: str) -> list[str]:
    """Places at which two runs' checkpoints of this name differ, bit for bit."""
    a, b = (torch.load(root / "checkpoints" / f"{name}.ckpt", weights_only=True) for root in (one, other))
    differs = [place for key in KEPT for place in _differences(a[key], b[key], key)]
    return differs + _differences(a["callbacks"], b["callbacks"], "callbacks")


def _differences(a: object, b: object, place: str) -> list[str]:
    if isinstance(a, torch.Tensor):
        return [] if isinstance(b, torch.Tensor) and torch.equal(a, b) else [place]
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [one for key in a for one in _differences(a[key], b[key], f"{place}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [one for number, (x, y) in pairs for one in _differences(x, y, f"{place}/{number}")]
    return [] if a == b else [place]


def blows(seed: int, longest: float) -> list[Blow]:
    """One or two blows; the kinds take turns, the moments are random."""
    draw = random.Random(seed)
    kinds = ("kill", "kill while writing", "tear", "term")
    return [Blow(kinds[(seed + n) % 4], draw.uniform(0.1, 1.0) * longest) for n in range(draw.choice([1, 2]))]
