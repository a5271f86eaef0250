"""Where predictions come from."""

import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

from carcinosis_loc.files import write_json
from carcinosis_loc.writers.base import About, Found, PredictionWriter, VideoEnd


class Provenance(PredictionWriter):
    """``provenance.json``: version and commit of carcloc, checkpoint, threshold, source, and how each video ended."""

    def begin(self, about: About) -> None:
        """Start without a video."""
        super().begin(about)
        self._videos: list[dict[str, Any]] = []

    def frame(self, found: Found) -> None:
        """Frames say nothing of where they come from."""

    def video(self, ended: VideoEnd) -> None:
        """Note how a video ended."""
        self._videos.append(asdict(ended.outcome))

    def finish(self) -> None:
        """Write it."""
        assert self.about is not None
        created = datetime.now(UTC).isoformat(timespec="seconds")
        own = {"version": version("carcinosis-loc"), "commit": commit(), "command": "predict", "created": created}
        write_json(self.folder / "provenance.json", {**own, **self.about.provenance, "videos": self._videos}, indent=2)


def commit() -> str | None:
    """The commit of the checkout that this code is; None where it was installed without one."""
    package = Path(__file__).parents[1]
    try:
        if not (package.parent / ".git").exists():
            return None
        ran = subprocess.run(
            ["git", "-C", str(package), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip() or None


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
