"""Run shipped studies and put what they found into docs/results.md: ``make results``.

Each study runs under ``runs/results/NAME``; its table and plots are copied to ``docs/results/NAME/``, and the table to
between the lines ``<!-- NAME -->`` and ``<!-- end of NAME -->`` of the page. What is done is not done again, here or on
another machine: ``docs/results/NAME/records.jsonl`` holds what each run was and found, and a fresh folder begins with
that. ``--anew`` does without. A run whose config has changed since is refused: take its line out of the records.
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

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "results.md"
STUDIES = DOCS.parent / "configs" / "studies"
KEPT = ("run.json", "metrics.json", "done.json")
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


def copy_report(name: str, runs: Path) -> None:
    """Take over the study's records, CSV, table and plots, and drop what it no longer draws."""
    folder = DOCS / "results" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in [runs / "runs.csv", runs / "table.md", *runs.glob("f1*.png")]:
        shutil.copy(path, folder)
    lines = [json.dumps(record_of(run.parent)) for run in sorted(runs.glob("runs/*/done.json"))]
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


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


def restore(name: str, runs: Path) -> None:
    """Put the runs that are on record into a fresh folder of the study."""
    records = DOCS / "results" / name / "records.jsonl"
    if runs.exists() or not records.exists():
        return
    for line in records.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        folder = runs / "runs" / record["name"]
        folder.mkdir(parents=True)
        with (folder / "per_image.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file_name", "group", *COUNTS])
            rows.writerows(["", group, *counts] for group, counts in record["groups"].items())
        for kept in KEPT:  # done.json last: with it the run is whole
            (folder / kept).write_text(json.dumps(record[kept]), encoding="utf-8")


def main() -> None:
    """Run, copy, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("studies", nargs="+", help="names in configs/studies, without .yaml")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="where the runs lie")
    parser.add_argument("--folder", action="append", default=[], help="NAME=PATH, as carcloc study takes it")
    parser.add_argument("--only", help="levels of the runs to be made, as carcloc study takes it")
    parser.add_argument("--anew", action="store_true", help="do without the runs that are on record")
    args, options = parser.parse_known_args()  # the rest is for carcloc fit
    failed = []
    for name in args.studies:
        needed = set(re.findall(r"\{(\w+)\}", (STUDIES / f"{name}.yaml").read_text(encoding="utf-8")))
        folders = [word for given in args.folder if given.split("=")[0] in needed for word in ("--folder", given)]
        if not args.anew:
            restore(name, args.runs / name)
        only = ["--only", args.only] if args.only else []
        command = ["study", *folders, *only, f"{name}.yaml", str(args.runs / name), *options]
        if subprocess.run([sys.executable, "-m", "carcinosis_loc", *command], check=False).returncode:
            failed.append(name)
            continue
        copy_report(name, args.runs / name)
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), name, section_of(name)), encoding="utf-8")
    if failed:
        sys.exit(f"{', '.join(failed)}: not all is done, see above; their tables are as they were")


if __name__ == "__main__":
    main()
