"""Files are written whole or not at all."""

import errno
import json
import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from carcinosis_loc.errors import InputError

_PATIENCE_S, _MOST_PIPED_BYTES = 60.0, 2**26  # of what is no ordinary file


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; on success it is synced and becomes ``target``.

    Its name ends as the target's does, so that writers that look at the suffix work. On any exception the
    temporary file is removed and an earlier ``target`` stays as it was.

    A link is replaced, not what it leads to: whoever made it shall not choose which file is lost.

    Raises:
        InputError: the folder cannot be made or written; or ``target`` is a device, a pipe or a folder.
    """
    target = Path(target)
    if target.exists() and not target.is_file():
        raise InputError(f"{target}: exists and is no ordinary file; name another one")
    make_folder(target.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=f".part{target.suffix}", dir=target.parent)
    except OSError as error:
        raise InputError(f"{target.parent}: cannot be written ({error.strerror})") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(target)) from error  # a full disk does not say where
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(target: str | Path, data: bytes) -> None:
    """Write ``data`` to ``target``, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: str | Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``target``, whole or not at all."""
    write_bytes(target, text.encode("utf-8"))


def write_json(target: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` as strict JSON (no NaN) to ``target``, whole or not at all."""
    write_text(target, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def make_folder(folder: str | Path) -> Path:
    """Make ``folder`` and its parents; an ``InputError`` names it where that cannot be done."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: this folder cannot be made ({error.strerror}); name another one") from error
    return folder


def read_bytes(path: str | Path) -> bytes:
    """The content of a file, or of a pipe that ends, such as a shell's ``<(...)``.

    Raises:
        OSError: it cannot be opened or read.
        InputError: it is a pipe out of which nothing comes for a minute, or it does not end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes into would block here
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode) or stat.S_ISDIR(os.fstat(handle).st_mode):
            return Path(path).read_bytes()
        parts: list[bytes] = []
        while sum(len(part) for part in parts) <= _MOST_PIPED_BYTES:
            if not select.select([handle], [], [], _PATIENCE_S)[0]:
                raise InputError(f"{path}: nothing comes out of this pipe; write into it, or name an ordinary file")
            parts.append(os.read(handle, 2**20))
            if not parts[-1]:
                return b"".join(parts)
        raise InputError(f"{path}: does not end; name an ordinary file")
    finally:
        os.close(handle)


@contextmanager
def new_folder(target: str | Path) -> Iterator[Path]:
    """Give a hidden folder beside ``target``; on success it becomes ``target``, on any exception it is removed.

    Raises:
        InputError: ``target`` exists, at the start or by the end, or its parent cannot be written.
    """
    target = Path(target)
    taken = f"{target}: exists; give a new folder"
    if target.exists() or target.is_symlink():
        raise InputError(taken)
    make_folder(target.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target.parent}: cannot be written ({error.strerror})") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp's folders are closed to all others
        try:
            temporary.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):  # another command has made it since
                raise InputError(taken) from error
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
