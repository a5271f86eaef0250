"""The folder of a run: where it lies when nobody said, and whether it may be written."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from carcinosis_loc.configs import CONFIG_FLAGS, option_values
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder

_LOCKS = {"fit": ".lock", "validate": ".validate.lock", "test": ".test.lock", "predict": ".predict.lock"}


def root_option(options: list[str]) -> Path:
    """The run folder on the command line, else the one that ``fit`` would choose."""
    given = option_values(options, "--trainer.default_root_dir")
    return Path(given[-1]) if given else run_folder("fit", options, None)


def run_folder(command: str, options: list[str], ckpt_path: str | None) -> Path:
    """Where a run goes that was not told: beside its checkpoint, else ``runs/`` and the name of its config."""
    if command != "fit" and ckpt_path is not None and Path(ckpt_path).parent.name == "checkpoints":
        return Path(ckpt_path).parent.parent
    named = [Path(name).stem for name in option_values(options, *CONFIG_FLAGS) if name.endswith((".yaml", ".yml"))]
    return Path("runs") / (named[0] if named else command)


def check_folder(root: Path, fresh: bool) -> None:
    """Refuse a folder that cannot be written, or that holds a run which a new one would overwrite."""
    held = root / "checkpoints"
    # Hidden files are what a kill left of a first checkpoint: no run to resume.
    if fresh and held.is_dir() and any(not path.name.startswith(".") for path in held.glob("*.ckpt")):
        raise InputError(
            f"{root}: holds a run already; resume it with --ckpt_path last, or name another --trainer.default_root_dir"
        )
    make_folder(root)
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise InputError(f"{root}: cannot be written ({error.strerror}); name another folder") from error


def hold_run(root: Path, command: str) -> IO[str]:
    """Lock a run's folder for a command, and clear what a kill left half written there; see ``lock_folder``."""
    name = _LOCKS[command]
    lock = lock_folder(root, name)
    if not any(_is_held(root / other) for other in _LOCKS.values() if other != name):
        for folder in (root, root / "checkpoints", root / "pictures"):
            for torn in folder.glob(".*.part.*"):  # see ``files.atomic_path``
                torn.unlink(missing_ok=True)
    if command == "predict":  # nobody else predicts here now; what can be gone on with has no letters in the middle
        for abandoned in root.glob(".predictions.*.part"):
            shutil.rmtree(abandoned, ignore_errors=True)
    return lock


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def lock_folder(root: Path, name: str = ".lock") -> IO[str]:
    """Keep other processes out of ``root`` for as long as the file that is returned stays open.

    A record lock: it ends with the process however that ends, and data-loading workers that outlive it do not hold it.

    Args:
        root: the folder.
        name: of the file that is locked: trainings and studies do not keep each other out.

    Raises:
        InputError: another process holds it.
    """
    file = (root / name).open("a+", encoding="utf-8")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise InputError(
            f"{root}: another run is writing there (process {holder}); wait for it, or name another folder"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
