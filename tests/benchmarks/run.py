"""``make bench``: our code against the plain way, in one run; writes bench.json and prints a table.

Every ratio is one of two times taken side by side, alternately, on the same inputs: the medians of the repeats. Times
are CPU times of one thread, which other programs on the machine hardly change (``gpu`` takes wall times). The parts
are modules beside this one with ``measure(folder) -> rows``.
"""

import argparse
import importlib
import json
import logging
import os
import platform
import tempfile
from pathlib import Path

import torch

from carcinosis_loc.cli import be_quiet_and_orderly

PARTS = ("kernels", "training", "predict", "export", "gpu")
HERE = Path(__file__).parent


def table(rows):
    width = max(len(row["what"]) for row in rows)
    print(f"\n{'':<{width}}  {'ours, ms':>10}  {'plain, ms':>10}  ours/plain")
    for row in rows:
        times = [f"{row[key]:10.3f}" if key in row else " " * 10 for key in ("ours_ms", "plain_ms", "ratio")]
        rest = [
            f"{key}={value:.3g}" for key, value in row.items() if key not in ("what", "ours_ms", "plain_ms", "ratio")
        ]
        print(f"{row['what']:<{width}}  {'  '.join([*times, *rest])}")


def ratio(row):
    return {"ratio": row["ours_ms"] / row["plain_ms"]} if {"ours_ms", "plain_ms"} <= row.keys() else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--part", choices=PARTS, action="append", help="may be given several times; all without it")
    args = parser.parse_args()
    be_quiet_and_orderly()
    logging.disable(logging.INFO)
    machine = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    torch.set_num_threads(1)
    rows = []
    for part in args.part or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            measured = importlib.import_module(part).measure(Path(folder))
        rows += [{"part": part, **row} | ratio(row) for row in measured]
        # what is measured stays, whatever the next part does
        args.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    table([{key: value for key, value in row.items() if key != "part"} for row in rows])
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
