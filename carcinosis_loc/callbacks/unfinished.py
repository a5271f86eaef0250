"""The hidden folder in which predictions lie until they are complete, and whether an old one is gone on with."""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder
from carcinosis_loc.run_folder import lock_folder
from carcinosis_loc.writers import Journal, undamaged

logger = logging.getLogger(__name__)

Unfinished = Literal["resume", "drop", "keep"]
_LOCK = ".lock"


def make_sibling(final: Path) -> Path:
    """A new hidden folder beside ``final``, on the same disk, so that it can be renamed to it.

    Raises:
        InputError: the place of ``final`` is taken by something else, or cannot be written.
    """
    _check(final)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent))
    except OSError as error:
        raise InputError(f"{final.parent}: cannot be written ({error.strerror}); name another folder") from error
    folder.chmod(final.parent.stat().st_mode & 0o777)  # mkdtemp's folders are closed to all others
    return folder


class Resumable(NamedTuple):
    """The hidden folder of a run that can be gone on with, and its journal; ``lock`` keeps other runs out."""

    folder: Path
    journal: Journal
    lock: IO[str]


def open_unfinished(final: Path, identity: Mapping[str, Any], unfinished: Unfinished, live: bool) -> Resumable:
    """The hidden folder beside ``final``, ``.predictions.part``: a new one, or that of a run that was cut short.

    Args:
        final: where the predictions will be.
        identity: what this run was told to do; only a run that was told the same can be gone on with.
        unfinished: what to do about an earlier one.
        live: the source cannot be read again, so it cannot be gone on with.

    Raises:
        InputError: another run is writing there; there is an unfinished run that was told something else, or that
            cannot be gone on with; there is none to keep.
    """
    _check(final)
    folder = make_folder(final.parent / f".{final.name}.part")
    lock = lock_folder(folder, _LOCK)
    for path in folder.rglob(".*.part*"):  # a kill may leave half a file
        path.unlink()
    journal = Journal(folder)
    before, state = (None, None) if unfinished == "drop" else (journal.identity, journal.state)
    with undamaged(folder):
        n_frames = 0 if state is None else int(state["n_frames"])
    if n_frames == 0:
        if unfinished == "keep":
            shutil.rmtree(folder)
            raise InputError(f"{final}: there is no unfinished run to keep")
        for path in folder.iterdir():
            if path.name not in (_LOCK, ".journal"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        journal.begin(identity)
        return Resumable(folder, journal, lock)
    changed = sorted(
        key for key in {*identity, *(before or {})} if _plain(identity.get(key)) != (before or {}).get(key)
    )
    option = "--predictions.unfinished"
    if changed:
        raise InputError(
            f"{final}: holds {n_frames} finished frames of a run that was cut short, with another "
            f"{', '.join(changed)}; repeat its command to go on, or add {option} drop"
        )
    if live and unfinished == "resume":
        raise InputError(
            f"{final}: holds {n_frames} finished frames of a stream that was cut short; add {option} keep to have them "
            f"written (and nothing read), or {option} drop"
        )
    logger.info("predict: %d frames are finished already%s", n_frames, "; going on" if unfinished == "resume" else "")
    return Resumable(folder, journal, lock)


def put_in_place(complete: Path, final: Path) -> None:
    """Put ``complete`` in the place of ``final``, and clear away what was needed to go on."""
    replace_folder(complete, final)
    shutil.rmtree(final / ".journal", ignore_errors=True)
    (final / _LOCK).unlink(missing_ok=True)


def replace_folder(complete: Path, final: Path) -> None:
    """Put ``complete`` in the place of ``final``; the earlier one goes only when the new one stands."""
    earlier = complete.with_suffix(".old")
    if final.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        final.rename(earlier)
    try:
        complete.rename(final)
    except OSError:
        if earlier.exists():
            earlier.rename(final)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _check(final: Path) -> None:
    if final.is_symlink() or (final.exists() and not final.is_dir()):
        raise InputError(f"{final}: is no folder, and predictions go to a folder of that name; move it away")
    make_folder(final.parent)


def _plain(value: Any) -> Any:
    """As it reads after it was written as JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
