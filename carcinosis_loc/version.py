"""Which code this is."""

import subprocess
from importlib import metadata
from pathlib import Path


def version() -> str:
    """The version of the package that is installed."""
    return metadata.version("carcinosis-loc")


def commit() -> str | None:
    """The commit of the checkout that this code is; None where it was installed without one."""
    package = Path(__file__).parent
    try:
        if not (package.parent / ".git").exists():
            return None
        ran = subprocess.run(
            ["git", "-C", str(package), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip() or None
