"""Names of images in a label file: they stay inside the image folder."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from carcinosis_loc.annotations.fields import shown


class FileNameError(ValueError):
    """A name that may not be used; the message is the reason without the place."""


def image_path(folder: Path, file_name: Any, *, allow_symlinks: bool) -> Path:
    """Where ``file_name`` lies in ``folder``; the file itself is not looked at.

    Args:
        folder: the image folder; it may itself be a link.
        file_name: relative, with forward slashes, as in a COCO file.
        allow_symlinks: let links inside ``folder`` lead out of it.

    Raises:
        FileNameError: no text, empty, absolute, with ``..``, a backslash, a drive or a NUL; or a link to outside.
    """
    if type(file_name) is not str or not file_name:
        raise FileNameError(f'"file_name" must be a non-empty text, not {shown(file_name)}')
    if not _is_plain(file_name):
        raise FileNameError(f'"file_name" {shown(file_name)} holds characters that no file name may hold')
    windows = PureWindowsPath(file_name)
    if windows.drive or windows.root:
        raise FileNameError(f'"file_name" {shown(file_name)} must be relative to the image folder, not absolute')
    if "\\" in file_name:
        raise FileNameError(f'"file_name" {shown(file_name)} must use / and not \\')
    if ".." in PurePosixPath(file_name).parts:
        raise FileNameError(f'"file_name" {shown(file_name)} must not hold ".."')
    path = folder / file_name
    if not allow_symlinks and leads_outside(path, folder):
        raise FileNameError(
            f'"file_name" {shown(file_name)} is a link to outside {folder}; '
            "set data.allow_symlinks to allow trees made of links"
        )
    return path


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether ``path``, with all links followed, lies outside of ``folder``, with all links followed."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real != root and not real.startswith(os.path.join(root, ""))


def _is_plain(text: str) -> bool:
    """Whether ``text`` can be a file's name: no NUL, and not half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
