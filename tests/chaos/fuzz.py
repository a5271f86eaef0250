"""Hostile input of every kind that carcloc reads, by the thousand: each case must succeed or be refused in one line.

`make chaos` runs it; by hand: `python tests/chaos/fuzz.py --cases 20000`. A case that ends in anything but success or
an `InputError` (exit code 2 and one line, where it goes through the command line) has failed, as has one that takes
longer than 60 s or needs more than 3 GiB beyond what torch and the package take when idle. The last line counts.
"""

import argparse
import importlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from sources import Source
from tally import REFUSED, SUCCESS, Tally, count_log

try:
    import atheris
except ImportError:
    atheris = None  # then hypothesis and chance must do

from carcinosis_loc.errors import InputError

ALL = list(HealthCheck)
CASE_S = 60
CASE_BYTES = 3 * 2**30


@dataclass(frozen=True)
class Family:
    """A kind of input.

    Attributes:
        name: how it is called.
        make: a case out of choices.
        attempt: does with a case what carcloc would, in an empty folder; gives ``SUCCESS`` or ``REFUSED``.
        imports: a module that its first case would else import, which takes long on a busy machine.
    """

    name: str
    make: Callable[[Source], Any]
    attempt: Callable[[Any, Path], str]
    imports: str = "carcinosis_loc.errors"


# Of each family the file that it stands in, and what chooses its cases, with that tool's share of all cases. Atheris
# looks for choices that reach new code. What goes through a whole training is slow, and rare here.
FAMILIES: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "labels": ("fuzz_labels", {"random": 0.3, "hypothesis": 0.012, "atheris": 0.288}),
    "images": ("fuzz_images", {"random": 0.2}),
    "configs": ("fuzz_configs", {"random": 0.1}),
    "configs in a fit": ("fuzz_configs", {"random": 0.003}),
    "checkpoints": ("fuzz_checkpoints", {"random": 0.03}),
    "checkpoints in commands": ("fuzz_checkpoints", {"random": 0.003}),
    "predictions": ("fuzz_results", {"random": 0.05}),
    "results": ("fuzz_results", {"random": 0.05}),
    "studies": ("fuzz_results", {"random": 0.03}),
}


def family_called(name: str) -> Family:
    """The family; only the file that it stands in is imported."""
    (found,) = [family for family in importlib.import_module(FAMILIES[name][0]).FAMILIES if family.name == name]
    return found


def outcome(call: Callable[[], object]) -> str:
    """What became of a call of the API: an ``InputError`` of one line is a refusal, anything else goes on up."""
    try:
        call()
    except InputError as error:
        line = str(error)
        assert line.strip(), "an empty line says nothing"
        assert line.isprintable(), f"not one clean line: {line!r}"
        assert len(line) < 2500, f"{len(line)} characters: {line[:200]}"
        assert "MemoryError" not in line, f"tried to take too much memory: {line}"
        return REFUSED
    return SUCCESS


def outcome_of_command(words: list[str]) -> str:
    """What became of a command line: exit code 0, or 2 with exactly one line on stderr."""
    from carcinosis_loc.cli import main

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    lines = err.getvalue().splitlines()
    assert code in (0, 2), f"exit code {code}: {err.getvalue()[:500]}"
    if code == 0:
        return SUCCESS
    assert len(lines) == 1, f"{len(lines)} lines: {err.getvalue()[:500]!r}"
    assert lines[0].startswith("carcloc: "), lines[0]
    assert lines[0].isprintable(), f"not one clean line: {lines[0]!r}"
    assert "MemoryError" not in lines[0], f"tried to take too much memory: {lines[0]}"
    return REFUSED


class Watch:
    """Runs cases of a family inside limits of time and memory, and writes down how each ended."""

    def __init__(self, family: Family, log: Path, folder: Path) -> None:
        self.family, self.folder = family, folder
        self.log = log.open("a", buffering=1, encoding="utf-8")

    def __call__(self, case: Any) -> None:
        """Try one."""
        self.log.write(json.dumps({"case": repr(case)[:2000]}) + "\n")
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            _forget_peak()
            before_kb, began = _memory_kb("VmRSS"), time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, CASE_S)
            try:
                ended = self.family.attempt(case, Path(name))
            except (Exception, SystemExit, TooLongError) as error:
                ended = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}{_place(error)}"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            took, grew_mb = time.monotonic() - began, (_memory_kb("VmHWM") - before_kb) / 1024
        self.log.write(json.dumps({"ended": ended, "s": round(took, 4), "mb": round(max(grew_mb, 0), 1)}) + "\n")


def work(family: Family, cases: int, seed: int, log: Path, tool: str) -> None:
    """Try ``cases`` cases in this process, which becomes a limited one."""
    signal.signal(signal.SIGALRM, _too_long)
    folder = log.parent / f"{log.stem}_files"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    watch = Watch(family, log, folder)
    importlib.import_module(family.imports)
    resource.setrlimit(resource.RLIMIT_AS, (_memory_kb("VmSize") * 1024 + CASE_BYTES,) * 2)
    {"random": _by_chance, "hypothesis": _by_hypothesis, "atheris": _by_atheris}[tool](family, watch, cases, seed)


def _by_chance(family: Family, watch: Watch, cases: int, seed: int) -> None:
    for number in range(cases):
        watch(family.make(Source(random.Random(f"{seed}/{number}").randint)))


def _by_hypothesis(family: Family, watch: Watch, cases: int, seed: int) -> None:
    @settings(max_examples=cases, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=ALL)
    @with_seed(seed)
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        watch(family.make(Source(lambda low, high: data.draw(st.integers(low, high)))))

    try_one()


def _by_atheris(family: Family, watch: Watch, cases: int, seed: int) -> None:
    def try_one(data: bytes) -> None:
        watch(family.make(Source(atheris.FuzzedDataProvider(data).ConsumeIntInRange)))

    words = [f"-runs={cases}", f"-seed={seed + 1}", "-max_len=1024", "-len_control=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *words], try_one)
    atheris.Fuzz()


class TooLongError(BaseException):
    """A case took longer than it may; no ``Exception``, so that nothing on the way takes it for bad input."""


def _too_long(number: int, frame: object) -> None:
    raise TooLongError(f"longer than {CASE_S} s")


def _forget_peak() -> None:
    with suppress(OSError):  # then the worst memory is that of the process so far
        Path("/proc/self/clear_refs").write_text("5")


def _memory_kb(name: str) -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place += f" < {Path(code.co_filename).name}:{trace.tb_lineno}" if "carcinosis_loc" in code.co_filename else ""
        trace = trace.tb_next
    return place


def fuzz(name: str, cases: int, seed: int, tool: str, folder: Path) -> Tally:
    """Try cases of a family in processes of their own until there were enough; failures are printed."""
    tally, round_ = Tally(), 0
    while tally.tried < cases and round_ < 50:
        log = folder / f"{name}_{tool}_{round_}.jsonl"
        log.touch()
        words = ["--work", name, "--cases", str(cases - tally.tried), "--seed", str(seed + 1000 * round_)]
        command = [sys.executable, __file__, *words, "--log", str(log), "--tool", tool]
        said = folder / f"{log.stem}.txt"
        with said.open("wb") as output:
            worker = subprocess.Popen(command, stdout=output, stderr=output)
            while worker.poll() is None:
                time.sleep(0.2)
                if time.time() - log.stat().st_mtime > 6 * CASE_S:  # not even the alarm was heard
                    worker.kill()
        before = tally.tried
        count_log(log, tally, worker.returncode)
        if worker.returncode and tool != "atheris":
            print(f"  a process ended with {worker.returncode}: {said.read_text(errors='replace')[-1500:]}", flush=True)
        if tally.tried == before:
            tally.failures += 1
            break
        round_ += 1
    return tally


def main() -> int:
    """Try all families, or with ``--work`` one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", type=lambda text: text.split(","), help="these families alone, by name")
    parser.add_argument("--without", action="append", default=[], help="a tool: hypothesis or atheris")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tool", default="random", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        if args.tool == "atheris":
            with atheris.instrument_imports(include=["carcinosis_loc.annotations"]):
                importlib.import_module("carcinosis_loc.annotations.thin_command")
                importlib.import_module("carcinosis_loc.annotations.coco")
        work(family_called(args.work), args.cases, args.seed, args.log, args.tool)
        return 0
    whole = Tally()
    with tempfile.TemporaryDirectory() as name:
        for kind in args.kinds or FAMILIES:
            for tool, share in FAMILIES[kind][1].items():
                if tool in args.without:
                    continue
                tally = fuzz(kind, round(args.cases * share), args.seed, tool, Path(name))
                print(f"{kind} ({tool}): {tally}", flush=True)
                whole.add(tally)
    print(f"fuzz: {whole}")
    return int(whole.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
