"""Run shipped studies and put what they found into docs/results.md: ``make results``.

Each study runs under ``runs/results/NAME``; its table and plots are copied to ``docs/results/NAME/``, and the table to
between the lines ``<!-- NAME -->`` and ``<!-- end of NAME -->`` of the page. What is done is not done again, here or on
another machine: ``docs/results/NAME/records.jsonl`` holds what each run was and found, and a fresh folder begins with
that. ``--anew`` does without. A run whose config has changed since is refused: take its line out of the records, and
remove its folder. What a study prepares (frames, first weights) is made on each machine.
"""

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from carcinosis_loc.study import Plan, read_plan

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "results.md"
STUDIES = DOCS.parent / "configs" / "studies"
KEPT = ("run.json", "metrics.json", "done.json")
RECORDS = "records.jsonl"
COUNTS = ("tp", "n_predicted", "n_points")


def with_table(page: str, name: str, section: str) -> str:
    """The page with a section between the study's two marks."""
    marks = (f"<!-- {name} -->", f"<!-- end of {name} -->")
    before, found, rest = page.partition(marks[0])
    _, closed, after = rest.partition(marks[1])
    if not found or not closed:
        sys.exit(f"{PAGE}: lacks the lines {marks[0]} and {marks[1]}")
    return f"{before}{marks[0]}\n{section.strip()}\n{marks[1]}{after}"


def section_of(name: str) -> str:
    """The table of a study, and its plots below."""
    folder = DOCS / "results" / name
    plots = [f"![{name}](results/{name}/{path.name})" for path in sorted(folder.glob("*.png"))]
    return "\n\n".join([(folder / "table.md").read_text(encoding="utf-8").strip(), *plots])


def copy_report(name: str, runs: Path, plan: Plan) -> None:
    """Take over the study's records, CSV, table and plots, and drop what it no longer draws."""
    folder = DOCS / "results" / name
    records = read_records(name) | {run.name: runs / "runs" / run.name for run in plan.runs if is_done(runs, run.name)}
    lines = [
        json.dumps(record if isinstance(record, dict) else record_of(record))
        for run in plan.runs  # what is no run of the study any more goes
        if (record := records.get(run.name)) is not None
    ]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in [runs / "runs.csv", runs / "table.md", *runs.glob("f1*.png")]:
        shutil.copy(path, folder)
    (folder / RECORDS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def is_done(runs: Path, run: str) -> bool:
    """Whether a run lies whole in the study's folder."""
    return (runs / "runs" / run / "done.json").exists()


def record_of(folder: Path) -> dict[str, Any]:
    """What a run was, and what it found: its small files, and counts for each group of test frames."""
    record: dict[str, Any] = {"name": folder.name}
    record |= {name: json.loads((folder / name).read_bytes()) for name in KEPT}
    groups: dict[str, list[int]] = {}
    with (folder / "per_image.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            total = groups.setdefault(row["group"] or row["file_name"], [0] * len(COUNTS))
            for place, name in enumerate(COUNTS):
                total[place] += int(row[name])
    return record | {"groups": groups}


def read_records(name: str) -> dict[str, dict[str, Any]]:
    """What is on record of a study, by the run's name."""
    path = DOCS / "results" / name / RECORDS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record["name"]: record for record in map(json.loads, lines)}


def restore(name: str, runs: Path) -> None:
    """Put the runs that are on record into the study's folder, but those that lie there."""
    for run, record in read_records(name).items():
        if (runs / "runs" / run).exists():
            continue
        folder = runs / "restored"  # it gets its name when it is whole
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with (folder / "per_image.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file_name", "group", *COUNTS])
            rows.writerows(["", group, *counts] for group, counts in record["groups"].items())
        for kept in KEPT:
            (folder / kept).write_text(json.dumps(record[kept]), encoding="utf-8")
        (runs / "runs").mkdir(exist_ok=True)
        folder.rename(runs / "runs" / run)


def remake(name: str, args: argparse.Namespace, options: list[str]) -> bool:
    """Run a study and take over what it found; whether all is done."""
    needed = set(re.findall(r"\{(\w+)\}", (STUDIES / f"{name}.yaml").read_text(encoding="utf-8")))
    given = [folder for folder in args.folder if folder.split("=")[0] in needed]
    runs = args.runs / name
    if not args.anew:
        restore(name, runs)
    only = ["--only", args.only] if args.only else []
    words = [word for folder in given for word in ("--folder", folder)]
    command = ["study", *words, *only, f"{name}.yaml", str(runs), *options]
    if subprocess.run([sys.executable, "-m", "carcinosis_loc", *command], check=False).returncode:
        return False
    folders = {"out": str(runs)} | dict(folder.split("=", 1) for folder in given)
    copy_report(name, runs, read_plan(f"{name}.yaml", options, folders))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), name, section_of(name)), encoding="utf-8")
    return True


def main() -> None:
    """Run, copy, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("studies", nargs="+", help="names in configs/studies, without .yaml")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="where the runs lie")
    parser.add_argument("--folder", action="append", default=[], help="NAME=PATH, as carcloc study takes it")
    parser.add_argument("--only", help="levels of the runs to be made, as carcloc study takes it")
    parser.add_argument("--anew", action="store_true", help="do without the runs that are on record")
    args, options = parser.parse_known_args()  # the rest is for carcloc fit
    failed = [name for name in args.studies if not remake(name, args, options)]
    if failed:
        sys.exit(f"{', '.join(failed)}: not all is done, see above; their tables are as they were")


if __name__ == "__main__":
    main()
