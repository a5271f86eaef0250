"""Folders that several workers of pytest share."""

import os

from filelock import FileLock


def shared(tmp_path_factory, name, fill):
    """A folder of this run of pytest that ``fill`` fills once, whichever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, filled = base / f"shared_{name}", base / f"shared_{name}.filled"
    with FileLock(base / f"shared_{name}.lock"):
        if not filled.exists():
            folder.mkdir(exist_ok=True)
            fill(folder)
            filled.touch()
    return folder
