"""Where predictions come from."""

from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from carcinosis_loc.files import write_json
from carcinosis_loc.version import commit, version
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
        own = {"version": version(), "commit": commit(), "command": "predict", "created": created}
        write_json(self.folder / "provenance.json", {**own, **self.about.provenance, "videos": self._videos}, indent=2)


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
