"""The front door: finds the command, loads torch only for those that need it, and turns errors into one line."""

import argparse
import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, TextIO

from carcinosis_loc.errors import InputError, RunError, Stopped, printable

USAGE = """\
usage: carcloc COMMAND [options]

Learns dense localization of carcinosis nodules from sparse point labels.

on models
  fit         train on sparse labels     carcloc fit --config hrnet_cat.yaml --data.image_dir D --data.train_json T
  validate    score on a validation set  carcloc validate --ckpt_path C --data.image_dir D --data.val_json V
  test        score on a test set        carcloc test --ckpt_path C --data.image_dir D --data.test_json T
  predict     find points in images      carcloc predict --ckpt_path C --data.predict_source IMAGE_FOLDER_OR_VIDEO
  export      write ONNX or TorchScript  carcloc export CKPT OUT.onnx
  calibrate   choose the threshold anew  carcloc calibrate --ckpt_path C --data.image_dir D --data.val_json V
  audit       pick frames to mark fully  carcloc audit --ckpt_path C --image_dir D --json V OUT_DIR
  report      write a page for people    carcloc report RUN_OR_PREDICTIONS --stations S.csv
on data
  synth       make synthetic laparoscopy carcloc synth OUT_DIR
  thin        make dense labels sparse   carcloc thin IN.json OUT.json --per-frame 5
  masks2points  make points out of masks carcloc masks2points IMAGE_DIR OUT_DIR --mask-dir MASK_DIR
on videos
  score-tracks  are identities right?    carcloc score-tracks PREDICTIONS TRUTH.json
on many runs
  study       run a grid, with resume    carcloc study losses.yaml OUT_DIR --data.image_dir D --data.train_json T ...

carcloc COMMAND --help tells more. Shipped configs: {configs}
"""

# Commands that are no Lightning: the module that holds ``add_arguments`` and ``run``, imported when asked for.
_PLAIN = {
    "synth": ("synthetic.command", "Make synthetic laparoscopy with dense truth and sparse labels."),
    "thin": ("annotations.thin_command", "Make sparse labels out of dense ones."),
    "masks2points": ("masks.command", "Make frames with dense points out of pictures with masks."),
    "score-tracks": ("track_scores_command", "Compare the identities of a video's points with the truth."),
    "study": ("study.command", "Run every combination of a study's factors, and report."),
    "report": ("report.command", "Write one self-contained page about a procedure or a test; for research use only."),
    "export": ("export.command", "Write a checkpoint as one file: ONNX, which runs without PyTorch, or TorchScript."),
    "audit": ("audit.command", "Pick the few frames whose exhaustive marking would settle the threshold."),
}

# Warnings of libraries that are wrong here or about the libraries themselves; all others are shown.
_NOISE = (
    r".*LeafSpec.* is deprecated",  # Lightning with torch's newest trees
    r".*torch\.jit\..* is deprecated",  # mmengine
    r".*was called before the ``update`` method",  # no frame of that kind is counted as zero frames
    r".*This DataLoader will create .* worker processes",  # two on a machine with one core do no harm
    r".*does not have many workers",  # on small frames more workers cost more than they give
    r".*number of training batches .* is smaller than the logging interval",
    r".*Checkpoint directory .* exists and is not empty",  # we refuse to overwrite, and resuming is meant to
    r".*You are using a custom batch sampler",  # EvaluationBatches drops no frame
    r".*when using `ckpt_path`, callbacks used to create the checkpoint",  # evaluation needs none of them
    r".*It is recommended to use .*sync_dist=True",  # our metrics are summed over processes already
    r".*could not find the monitored key in the returned",  # fit without validation: the last epoch is the best
    r".*The dirpath has changed from",  # a run's folder may be moved
    r".*Trying to infer the `batch_size`",
)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_NO_ROOM |= {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for bad input (one line on stderr), 1 for other failures."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    be_quiet_and_orderly()
    try:
        _stop_in_order()
        _dispatch(words)
    except InputError as error:
        return _fail(str(error), 2)
    except RunError as error:
        return _fail(str(error), 1)
    except Stopped as stopped:
        return _fail(stopped.message, 143)
    except BrokenPipeError:  # the reader of our output has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno in _NO_ROOM:
            where = error.filename or "the output folder"
            return _fail(f"{where}: cannot be written ({os.strerror(error.errno)}); nothing incomplete is left", 2)
        return _unexpected(error)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):  # Lightning's way to say it
            more = " and --ckpt_path last" if words[:1] == ["fit"] else ""
            return _fail(f"interrupted; go on with the same command{more}", 130)
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception as error:
        return _unexpected(error)
    return 0


def _stop_in_order() -> None:
    """Let SIGTERM end a command as an exception does, so that nothing half written stays."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: object) -> NoReturn:
    raise Stopped("stopped by SIGTERM; what was there before is as it was")


def _dispatch(words: list[str]) -> None:
    command, rest = (words[0], words[1:]) if words else ("--help", [])
    if command in ("--help", "-h", "help"):
        from carcinosis_loc.configs import shipped_names

        print(USAGE.format(configs=", ".join(shipped_names())), end="")
    elif command == "--version":
        from carcinosis_loc.version import version

        print(f"carcloc {version()}")
    elif command in _PLAIN:
        module, description = _PLAIN[command]
        _run_plain(import_module(f"carcinosis_loc.{module}"), command, description, rest)
    elif command in ("fit", "validate", "test", "predict"):
        from carcinosis_loc.runner import run

        run(words)
    elif command == "calibrate":
        from carcinosis_loc.calibration_command import run_calibration

        run_calibration(rest)
    else:
        raise InputError(f"{command}: no such command; carcloc --help lists them")


def _run_plain(module: object, name: str, description: str, words: list[str]) -> None:
    parser = _Parser(prog=f"carcloc {name}", description=description)
    module.add_arguments(parser)  # type: ignore[attr-defined]
    module.run(parser.parse_args(words))  # type: ignore[attr-defined]


class _Stdout(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stdout`` is at the time."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


class _Line(logging.Formatter):
    """One line a record; what is more than information says so."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(" ".join(record.getMessage().split()))
        return text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}"


def be_quiet_and_orderly() -> None:
    """Progress and warnings go to stdout, so that stderr holds the one line that says why a command failed.

    A hospital's machine stays silent: nothing here asks a server for anything.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    for name, value in {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB_ERROR_REPORTING": "false"}.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning still calls the old names
    root = logging.getLogger()
    if not any(isinstance(handler, _Stdout) for handler in root.handlers):
        handler = _Stdout()
        handler.setFormatter(_Line())
        root.addHandler(handler)
    first = os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"
    logging.getLogger("carcinosis_loc").setLevel(logging.INFO if first else logging.ERROR)
    logging.captureWarnings(True)
    for pattern in _NOISE:
        warnings.filterwarnings("ignore", pattern)
    warnings.formatwarning = lambda message, *_args, **_kwargs: str(message)


def _fail(message: str, code: int) -> int:
    print(f"carcloc: {printable(message)}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> int:
    if os.environ.get("CARCLOC_DEBUG"):
        raise error
    text = " ".join(str(error).split())
    return _fail(f"failed: {type(error).__name__}: {text[:400]} (CARCLOC_DEBUG=1 shows where)", 1)
