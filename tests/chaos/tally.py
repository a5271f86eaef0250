"""What became of the cases of a fuzz run, counted from the log that its processes leave."""

import json
from dataclasses import dataclass, field
from pathlib import Path

SUCCESS, REFUSED = "success", "refused"


@dataclass
class Tally:
    """What became of the cases of a family."""

    tried: int = 0
    refused: int = 0
    failures: int = 0
    worst_s: float = 0.0
    worst_mb: float = 0.0
    known: set[str] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        """Count those of another family too."""
        self.tried, self.refused = self.tried + other.tried, self.refused + other.refused
        self.failures += other.failures
        self.worst_s, self.worst_mb = max(self.worst_s, other.worst_s), max(self.worst_mb, other.worst_mb)

    def __str__(self) -> str:
        return (
            f"{self.tried} cases, {self.refused} refused, {self.failures} failures, "
            f"worst {self.worst_s:.1f} s and {self.worst_mb:.0f} MB"
        )


def count_log(log: Path, tally: Tally, code: int) -> None:
    open_case = None
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if "case" in entry:
            open_case = entry["case"]
            continue
        tally.tried += 1
        tally.refused += entry["ended"] == REFUSED
        tally.worst_s, tally.worst_mb = max(tally.worst_s, entry["s"]), max(tally.worst_mb, entry["mb"])
        if entry["ended"] not in (SUCCESS, REFUSED):
            _fail(tally, entry["ended"], open_case)
        open_case = None
    if open_case is not None:
        tally.tried += 1
        _fail(tally, f"the process ended with {code}", open_case)


def _fail(tally: Tally, ended: str, case: str | None) -> None:
    tally.failures += 1
    if ended[:100] not in tally.known:  # one of a kind is enough to read
        print(f"  FAILED: {ended}\n    {case}", flush=True)
    tally.known.add(ended[:100])
