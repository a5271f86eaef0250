"""``carcloc report``: one self-contained page about a procedure or a test."""

import argparse
import math
from pathlib import Path

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_text

NAME = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc report``."""
    parser.add_argument(
        "folder", type=Path, metavar="RUN_OR_PREDICTIONS", help="what carcloc test or predict has filled"
    )
    parser.add_argument(
        "--stations", type=Path, metavar="CSV", help="start,end,station: when the camera looked at what (s or hh:mm:ss)"
    )
    parser.add_argument(
        "--min-seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="flag a station that was inspected for less (default %(default)g)",
    )
    parser.add_argument(
        "--smooth-seconds", type=float, default=5.0, metavar="S", help="smooth the burden over S (default %(default)g)"
    )
    parser.add_argument("--anonymize", action="store_true", help="leave file names out")


def run(args: argparse.Namespace) -> None:
    """Write ``report.html`` into the folder, whole or not at all.

    Raises:
        InputError: the folder holds neither a test nor predictions, or a file in it or the stations are wrong.
    """
    for name, least in (("min_seconds", 0.0), ("smooth_seconds", 0.1)):
        value = getattr(args, name)
        if not (math.isfinite(value) and value >= least):
            raise InputError(f"--{name.replace('_', '-')}: must be {least:g} or more seconds, not {value:g}")
    page = _page(args, args.folder)
    write_text(args.folder / NAME, page)
    print(f"report: {args.folder / NAME} ({len(page) / 1e6:.1f} MB, one file, for research use only)")


def _page(args: argparse.Namespace, folder: Path) -> str:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give one that carcloc test or carcloc predict has filled")
    if (folder / "images.json").is_file():
        return _procedure(args, folder)
    inner = folder / "predictions"
    if (folder / "metrics.json").is_file():
        if args.stations is not None:
            raise InputError(f"{folder}: is a test, and --stations belongs to predictions; give {inner}")
        if inner.is_dir():
            print(f"{folder} holds a test, which is reported; its predictions have a report of their own: {inner}")
        from carcinosis_loc.report.evaluation import evaluation_page

        return evaluation_page(folder, anonymize=args.anonymize)
    if (inner / "images.json").is_file():
        return _procedure(args, inner)
    raise InputError(f"{folder}: holds neither metrics.json (carcloc test) nor images.json (carcloc predict)")


def _procedure(args: argparse.Namespace, folder: Path) -> str:
    from carcinosis_loc.report.procedure import procedure_page
    from carcinosis_loc.report.reading import read_findings
    from carcinosis_loc.report.stations import read_stations

    findings = read_findings(folder)
    intervals = [] if args.stations is None else read_stations(args.stations, findings.videos)
    return procedure_page(
        findings, intervals, window_s=args.smooth_seconds, least_s=args.min_seconds, anonymize=args.anonymize
    )
