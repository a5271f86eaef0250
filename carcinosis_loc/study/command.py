"""``carcloc study``: run a grid, or write it out for many machines."""

import argparse
from pathlib import Path

import yaml

from carcinosis_loc.configs import option_values
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_text
from carcinosis_loc.study.execution import run_study
from carcinosis_loc.study.plan import Plan, read_plan
from carcinosis_loc.study.report import write_report

_OWN = ("--only", "--sweep", "--folder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc study``; its own options stand before the study's name."""
    parser.add_argument("--only", metavar="NAME", help="run those alone that have these levels: loss=mse,seed=0")
    parser.add_argument(
        "--folder", action="append", default=[], metavar="NAME=PATH", help="where a folder lies that the study names"
    )
    parser.add_argument("--sweep", action="store_true", help="run nothing; write OUT_DIR/sweep.yaml for wandb sweep")
    parser.add_argument("study", metavar="STUDY", help="a study file, or the name of one that is shipped")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder for the runs and what they found")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="further options of carcloc fit, for all runs")


def run(args: argparse.Namespace) -> None:
    """Run the study and report.

    Raises:
        InputError: see ``read_plan`` and ``run_study``; or runs have failed, whose logs are named.
    """
    own = next((word for word in args.options if word.partition("=")[0] in _OWN), None)
    if own:
        raise InputError(f"{own}: must stand before the study's name; what stands behind it goes to carcloc fit")
    if args.sweep and args.only is not None:
        raise InputError("--only: says which runs are made here; a sweep is of all of them")
    plan = read_plan(args.study, args.options, _folders(args))
    if args.sweep:
        path = args.out_dir / "sweep.yaml"
        write_text(path, sweep(plan, args.out_dir, args.folder, args.options))
        print(
            f"{path}: {len(plan.runs)} runs; start it with wandb sweep, and wandb agent on each machine, in this folder"
        )
        if any(option_values(list(run.fit), "--wandb")[-1:] == ["off"] for run in plan.runs):
            print("their trainings have --wandb off: add --wandb online at the end for dashboards of them")
        return
    failed = run_study(plan, args.out_dir, args.only)
    paths = write_report(plan, args.out_dir)
    print(paths[1].read_text(encoding="utf-8"), end="")
    print("\n".join(map(str, paths)))
    if failed:
        logs = args.out_dir / "runs" / failed[0] / "run.log"
        raise InputError(f"{len(failed)} of {len(plan.runs)} runs failed, {failed[0]} first; see {logs}")


def _folders(args: argparse.Namespace) -> dict[str, str]:
    folders = {"out": str(args.out_dir)}
    for given in args.folder:
        name, _, path = given.partition("=")
        if not name or not path or name == "out" or not Path(path).is_dir():
            raise InputError(f"--folder {given}: must be NAME=PATH of a folder that exists, and not named out")
        folders[name] = path
    return folders


def sweep(plan: Plan, out_dir: Path, folders: list[str], options: list[str]) -> str:
    """The study as a Weights & Biases sweep (YAML): one parameter, the name of the run."""
    given = [word for folder in folders for word in ("--folder", folder)]
    content = {
        "method": "grid",
        "parameters": {"only": {"values": [run.name for run in plan.runs]}},
        "command": ["carcloc", "study", "${args}", *given, str(plan.path), str(out_dir), *options],
    }
    return yaml.safe_dump(content, sort_keys=False)
