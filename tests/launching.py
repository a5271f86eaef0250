"""carcloc in a process of its own, forked from one that has imported it: seconds cheaper than a new interpreter."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["carcinosis_loc.cli", "carcinosis_loc.runner", "warm_imports"])


class Job:
    """Of ``subprocess.Popen`` what tests need. It leads a process group of its own, and its output goes to files.

    Args:
        words: the command line after ``carcloc``.
        env: what its environment has beside ours.
        before: is called in the new process first; must be a function that can be pickled.
    """

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str] | None = None, before: Callable[[], object] | None = None
    ) -> None:
        _be_ready()
        self._said = tempfile.TemporaryDirectory()
        self._out, self._err = Path(self._said.name, "out"), Path(self._said.name, "err")
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | dict(env or {})
        self._process = _FORKS.Process(target=_run, args=(list(words), environment, before, self._out, self._err))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; the negative number of the signal that killed it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """See ``returncode``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; its exit code."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("carcloc", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait until it ends; what it said on stdout and on stderr."""
        self.wait(timeout)
        return self.said(), self._err.read_text()

    def said(self) -> str:
        """What it has said on stdout so far."""
        return self._out.read_text()

    def send_signal(self, number: int) -> None:
        """Send it a signal, and not its children."""
        os.kill(self.pid, number)

    def end(self) -> None:
        """Kill it and its children, if it still runs."""
        if self.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # it does not lead its group yet
                self._process.kill()
            self._process.join()


def _be_ready() -> None:
    """Start the process to fork from, if it does not run yet; it must find ``warm_imports``."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), before["PYTHONPATH"]]))
    os.environ["OMP_NUM_THREADS"] = "1"
    forkserver.ensure_running()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _run(words: list[str], env: dict[str, str], before: Callable[[], object] | None, out: Path, err: Path) -> None:
    os.setsid()
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        stream.flush()
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
    os.environ.clear()
    os.environ.update(env)
    multiprocessing.set_start_method("fork", force=True)  # ours is handed on, and data-loading workers are forks
    sys.argv = ["carcloc", *words]
    if before is not None:
        before()
    from carcinosis_loc.cli import main

    sys.exit(main(words))
