"""``carcloc study``: run a grid, or write it out for many machines."""

import argparse
from pathlib import Path

import yaml

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_text
from carcinosis_loc.study.execution import run_study
from carcinosis_loc.study.plan import Plan, read_plan
from carcinosis_loc.study.report import write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc study``; its own options stand before the study's name."""
    parser.add_argument("--only", metavar="NAME", help="run this one alone, such as loss=mse,seed=0")
    parser.add_argument("--sweep", action="store_true", help="run nothing; write OUT_DIR/sweep.yaml for wandb sweep")
    parser.add_argument("study", metavar="STUDY", help="a study file, or the name of one that is shipped")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder for the runs and what they found")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="further options of carcloc fit, for all runs")


def run(args: argparse.Namespace) -> None:
    """Run the study and report.

    Raises:
        InputError: see ``read_plan`` and ``run_study``; or runs have failed, whose logs are named.
    """
    plan = read_plan(args.study, args.options)
    if args.sweep:
        path = args.out_dir / "sweep.yaml"
        write_text(path, sweep(plan, args.out_dir, args.options))
        print(f"{path}: {len(plan.runs)} runs; start it with wandb sweep, and wandb agent on each machine")
        return
    failed = run_study(plan, args.out_dir, args.only)
    paths = write_report(plan, args.out_dir)
    print(paths[1].read_text(encoding="utf-8"), end="")
    print("\n".join(map(str, paths)))
    if failed:
        logs = args.out_dir / "runs" / failed[0] / "run.log"
        raise InputError(f"{len(failed)} of {len(plan.runs)} runs failed, {failed[0]} first; see {logs}")


def sweep(plan: Plan, out_dir: Path, options: list[str]) -> str:
    """The study as a Weights & Biases sweep (YAML): one parameter, the name of the run."""
    content = {
        "method": "grid",
        "parameters": {"only": {"values": [run.name for run in plan.runs]}},
        "command": ["carcloc", "study", "${args}", str(plan.path), str(out_dir), *options],
    }
    return yaml.safe_dump(content, sort_keys=False)
