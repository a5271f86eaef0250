"""A data set is made beside the earlier one, and takes its place when it is complete."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder
from carcinosis_loc.run_folder import lock_folder

_NAME = ".synth.part"


@contextmanager
def staged(out_dir: Path) -> Iterator[Path]:
    """A hidden, empty folder in ``out_dir`` to make the data set in; it is gone afterwards, whatever happens.

    Raises:
        InputError: another process is making a data set there, or the folder cannot be made.
    """
    folder = make_folder(out_dir / _NAME)
    with lock_folder(folder):
        try:
            for left in folder.iterdir():  # by a run that was killed
                if left.name != ".lock":
                    shutil.rmtree(left)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def check_replaceable(earlier: Iterable[Path]) -> None:
    """Refuse what cannot be replaced before anything is made.

    Raises:
        InputError: a folder has the name of a file.
    """
    for path in earlier:
        if path.is_dir():
            raise InputError(f"{path}: cannot be replaced (it is a folder); name another folder for the data set")


def put_in_place(folder: Path, out_dir: Path, earlier: Iterable[Path]) -> None:
    """Take the ``earlier`` files away and move all files of ``folder`` to their places in ``out_dir``.

    Label files go first and come last, so that there is none that speaks of other pictures.

    Raises:
        InputError: a file cannot be replaced.
    """

    def labels_last(path: Path) -> bool:
        return path.suffix == ".json"

    fresh = sorted((path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"), key=labels_last)
    try:
        for path in sorted(earlier, key=labels_last, reverse=True):
            path.unlink(missing_ok=True)
        for path in fresh:
            target = out_dir / path.relative_to(folder)
            make_folder(target.parent)
            path.replace(target)
    except OSError as error:
        raise InputError(
            f"{error.filename or out_dir}: cannot be replaced ({error.strerror}); name another folder"
        ) from error
