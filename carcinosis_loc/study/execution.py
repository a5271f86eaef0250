"""Running a study: one run after the other, each in a process of its own; what is done is not done again."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from carcinosis_loc.configs import find_config, read_config
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder, write_json
from carcinosis_loc.run_folder import lock_folder
from carcinosis_loc.study.plan import FORMAT, Plan, Run
from carcinosis_loc.version import commit, version

_LOCK, _PREPARED = ".study.lock", "prepared.json"
_PATIENCE_S = 60.0  # that a run which is told to stop may take to save
_WAIT_S = 2.0  # between two looks whether another process has made the data

Command = Callable[[list[str], Path], int]


def carcloc(words: list[str], log: Path) -> int:
    """Run ``carcloc`` in a process of its own, its output appended to ``log``; give its exit code.

    Where this process is stopped, that one is told to stop too, and may save what it has before it is killed.
    """
    command = [sys.executable, "-m", "carcinosis_loc", *words]
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            finally:
                process.kill()
            raise


def run_study(plan: Plan, out_dir: Path, only: str | None = None, command: Command = carcloc) -> list[str]:
    """Run what is not done yet; give the names of the runs that failed.

    Every run has a folder ``runs/NAME`` with ``run.json`` (what it is), ``run.log`` and all that ``carcloc`` writes. It
    is done when ``done.json`` is there. A run that was broken off goes on from its last checkpoint. Several processes
    may work on one study: each waits until its data are made, and takes the runs that no other is at. Runs that differ
    in the test alone are trained once.

    Args:
        plan: what to run.
        out_dir: the study's folder.
        only: levels, such as ``loss=mse,seed=0``: the runs that have them all.
        command: how a command is run.

    Raises:
        InputError: the folder holds a run of that name with other options, or a study of another format; or ``only``
            names no run.
    """
    wanted = set() if only is None else set(only.split(","))
    runs = [run for run in plan.runs if wanted <= set(run.name.split(","))]
    if not runs:
        raise InputError(f"{plan.path}: no run is called '{only}'; the first is {plan.runs[0].name}")
    for run in plan.runs:  # all: the report is of all that is there
        _check(run, out_dir / "runs" / run.name)
    _prepare(plan, out_dir, command)
    failed = []
    for number, run in enumerate(runs, start=1):
        folder = out_dir / "runs" / run.name
        if (folder / "done.json").exists():
            print(f"{number}/{len(runs)} {run.name}: done before")
            continue
        make_folder(folder)
        try:
            lock = lock_folder(folder, _LOCK)
        except InputError:
            print(f"{number}/{len(runs)} {run.name}: another process is at it", flush=True)
            continue
        began, made_by = time.monotonic(), {"version": version(), "commit": commit()}
        with lock:
            donor = next((one for one in plan.runs if _has_trained(one, run, out_dir)), run)
            code = _do(run, folder, out_dir / "runs" / donor.name, command)
            took = time.monotonic() - began
            if not code:
                write_json(folder / "done.json", {"seconds": round(took, 1), "weights_of": donor.name, **made_by})
        if code:
            failed.append(run.name)
            print(f"{number}/{len(runs)} {run.name}: failed, exit code {code}; see {folder / 'run.log'}", flush=True)
        else:
            print(f"{number}/{len(runs)} {run.name}: done in {took / 60:.1f} min", flush=True)
    return failed


def _prepare(plan: Plan, out_dir: Path, command: Command) -> None:
    """Make the data that is not made yet, or wait until another process has. What is made is whole, or not there."""
    waiting, folder = False, make_folder(out_dir)
    while _made(plan, out_dir) < len(plan.prepare):
        try:
            lock = lock_folder(folder, _LOCK)
        except InputError:
            if not waiting:
                print(f"{out_dir}: another process makes the data; waiting for it", flush=True)
            waiting = True
            time.sleep(_WAIT_S)
            continue
        with lock:
            _make_data(plan, out_dir, command)


def _made(plan: Plan, out_dir: Path) -> int:
    """How many lines of ``prepare`` have been run."""
    known = out_dir / _PREPARED
    try:
        done = json.loads(known.read_bytes()) if known.exists() else []
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{known}: cannot be read ({error!s:.100}); choose another folder") from error
    ways = (
        [list(words) for words in lines] for lines in (plan.prepare_written, plan.prepare)
    )  # once it was the latter
    if not isinstance(done, list) or not any(done == lines[: len(done)] for lines in ways):
        raise InputError(f"{known}: the data was made in another way; choose another folder")
    return len(done)


def _make_data(plan: Plan, out_dir: Path, command: Command) -> None:
    for number in range(_made(plan, out_dir), len(plan.prepare)):
        words = list(plan.prepare[number])
        resume = ["--ckpt_path", "last"] if words[0] == "fit" else []
        if command([*words, *resume], out_dir / "prepare.log"):
            raise InputError(f"carcloc {' '.join(words)} failed; see {out_dir / 'prepare.log'}")
        write_json(out_dir / _PREPARED, [list(line) for line in plan.prepare_written[: number + 1]], indent=2)
        print(f"carcloc {' '.join(words)}: done", flush=True)


def _identity(run: Run) -> dict[str, Any]:
    """What a run is, wherever its folders lie."""
    words = {command: list(line) for command, line in run.written.items()}
    return {"format": FORMAT, "levels": dict(run.levels), **words, "configs": _configs(run)}


def _configs(run: Run) -> dict[str, str]:
    """A digest of what each of its configs holds: a run by another content is another run, whatever its name."""
    names = [value for word, value in pairwise(run.written["fit"]) if word == "--config"]
    contents = {name: json.dumps(read_config(find_config(name)), sort_keys=True, default=str) for name in names}
    return {name: sha256(content.encode()).hexdigest()[:16] for name, content in contents.items()}


def _check(run: Run, folder: Path) -> None:
    path = folder / "run.json"
    if not path.exists():
        if (folder / "done.json").exists():
            raise InputError(f"{folder}: lacks run.json, which says how it was made; move the run away")
        return
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error!s:.100}); move the run away") from error
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise InputError(f"{path}: is of another version of carcloc; choose another folder for the study")
    identity = _identity(run)
    configs = identity.pop("configs")
    made_by = known.pop("configs", configs)  # older runs do not tell
    earlier = identity | {"fit": list(run.fit), "test": list(run.test)}  # once folders' names were filled in
    if known not in (identity, earlier) or not isinstance(made_by, dict):
        raise InputError(f"{path}: this run was made with other options; choose another folder, or move it away")
    if made_by != configs:
        changed = ", ".join(name for name, digest in configs.items() if made_by.get(name) != digest)
        raise InputError(f"{path}: {changed} held something else when this run was made; move the run away")


def _has_trained(one: Run, other: Run, out_dir: Path) -> bool:
    """Whether ``one`` is done, and was trained as ``other`` is to be."""
    folder = out_dir / "runs" / one.name
    return one.fit == other.fit and (folder / "done.json").exists() and (folder / "checkpoints" / "best.ckpt").exists()


def _do(run: Run, folder: Path, trained: Path, command: Command) -> int:
    """Train, unless another run's folder ``trained`` holds the weights; then test."""
    write_json(folder / "run.json", _identity(run), indent=2)
    place = ["--trainer.default_root_dir", str(folder)]
    log, checkpoints = folder / "run.log", trained / "checkpoints"
    if trained == folder:
        code = command([*run.fit, *place, "--ckpt_path", "last"], log)
        if code:
            return code
    return command([*run.test, *place, "--ckpt_path", str(checkpoints / "best.ckpt")], log)
