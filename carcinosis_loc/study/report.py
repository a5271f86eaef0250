"""What a study's runs found: every run in a CSV, means with intervals in Markdown, and a plot."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import atomic_path, write_text
from carcinosis_loc.study.plan import FIGURES, Plan
from carcinosis_loc.study.plots import draw_lines, draw_rows, factors_of

DRAWS = 2000
Counts = npt.NDArray[np.float64]  # (groups, 3): found, predicted and true points


def write_report(plan: Plan, out_dir: Path) -> list[Path]:
    """Write ``runs.csv``, ``table.md``, ``f1.png`` and ``f1_by_FACTOR.png`` of the runs that are done; give paths.

    A factor after the first is drawn as a line if it has three levels or more and some of them are numbers, so that
    there is an order in them: the file's.

    Runs that differ in ``seed`` alone make one row of the table. F1's interval is a 95 % bootstrap over groups
    (patients; frames where there are none) of the test set, drawn alike for all seeds of a row; it says how far the
    figure depends on who was tested. How far it depends on the seed stands beside it, as lowest and highest.
    """
    rows = [row for run in plan.runs if (row := read_run(out_dir / "runs" / run.name, run.levels)) is not None]
    paths = [out_dir / name for name in ("runs.csv", "table.md", "f1.png")]
    write_text(paths[0], _as_csv(plan, rows))
    table = _table(plan, rows)
    write_text(paths[1], _as_markdown(table) + _origin(plan, rows))
    with atomic_path(paths[2]) as temporary:
        draw_rows(table, temporary)
    for factor in factors_of(table)[1:]:
        if _has_order({entry[factor] for entry in table}):
            paths.append(out_dir / f"f1_by_{factor}.png")
            with atomic_path(paths[-1]) as temporary:
                draw_lines(table, factor, temporary)
    return paths


def _has_order(levels: Collection[str]) -> bool:
    numbers = [level for level in levels if level.replace(".", "", 1).isdigit()]
    return len(levels) >= 3 and len(numbers) >= 2


def f1_interval(runs: Sequence[Counts], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the runs' mean F1, by drawing groups with replacement.

    Args:
        runs: of each run the counts of each group, ``(groups, 3)``: found, predicted and true points; the same groups
            in the same order.
        seed: of the draws.
    """
    groups = len(runs[0])
    draws = np.random.default_rng(seed).integers(0, groups, (DRAWS, groups))
    means = np.zeros(DRAWS)
    for counts in runs:
        found, predicted, true = counts[draws].sum(1).T
        whole = predicted + true
        means += np.divide(2 * found, whole, out=np.zeros(DRAWS), where=whole > 0) / len(runs)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def read_run(folder: Path, levels: Mapping[str, str]) -> dict[str, Any] | None:
    """What a run found: its levels, figures, seconds and counts by group; None while it is not done.

    Raises:
        InputError: its files are damaged, or of another version.
    """
    if not (folder / "done.json").exists():
        return None
    try:
        metrics = json.loads((folder / "metrics.json").read_bytes())
        done = json.loads((folder / "done.json").read_bytes())
        if "f1" in metrics and metrics["f1"] is None:
            raise InputError(
                f"{folder}: its test frames are not marked in full, so that there is no F1; give those that are"
            )
        seconds, code = _number(done, "seconds"), tuple(_text(done, name) for name in ("version", "commit"))
        figures = {name: _number(metrics, name) for name in FIGURES}
        groups, counts = _counts(folder)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error!s:.80}"
        raise InputError(
            f"{folder}: its results cannot be read ({reason}); remove done.json to run it again"
        ) from error
    return {**levels, **figures, "seconds": seconds, "groups": groups, "counts": counts, "code": code}


def _number(values: Mapping[str, Any], name: str) -> float:
    number = float(values[name])
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} is {number}")
    return number


def _text(values: Mapping[str, Any], name: str) -> str | None:
    text = values.get(name)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{name} is {text!s:.20}")
    return text


def _counts(folder: Path) -> tuple[list[str], Counts]:
    """Names of the groups, and their counts."""
    groups: dict[str, list[int]] = {}
    with (folder / "per_image.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            total = groups.setdefault(row["group"] or row["file_name"], [0, 0, 0])
            for place, name in enumerate(("tp", "n_predicted", "n_points")):
                if int(row[name]) < 0:
                    raise ValueError(f"per_image.csv: {name} is {row[name]}")
                total[place] += int(row[name])
    if not groups:
        raise ValueError("per_image.csv has no rows")
    names = sorted(groups)
    return names, np.array([groups[name] for name in names], np.float64).reshape(-1, 3)


def _as_csv(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    fields = [*plan.factors, *FIGURES, "seconds"]
    writer = csv.DictWriter(text, fieldnames=fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for all runs that differ in the seed alone, in the order of the plan."""
    factors = [factor for factor in plan.factors if factor != "seed"]
    kinds: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(tuple(row[factor] for factor in factors), []).append(row)
    table = []
    best_of = {tuple(row[factor] for factor in plan.factors): row["best_f1"] for row in rows}
    for levels, alike in kinds.items():
        mean = {name: float(np.mean([row[name] for row in alike])) for name in FIGURES}
        if any(row["groups"] != alike[0]["groups"] for row in alike):
            what = ",".join(f"{factor}={level}" for factor, level in zip(factors, levels, strict=True))
            raise InputError(f"{plan.path}: the runs {what or 'of this study'} were tested on different groups")
        low, high = f1_interval([row["counts"] for row in alike])
        f1s = [row["f1"] for row in alike]
        entry = {**dict(zip(factors, levels, strict=True)), "runs": len(alike), **mean}
        minutes = float(np.mean([row["seconds"] for row in alike])) / 60
        entry |= {
            "low": low,
            "high": high,
            "groups": len(alike[0]["groups"]),
            "seeds": (min(f1s), max(f1s)),
            "minutes": minutes,
        }
        table.append(entry | _compared(plan, alike, best_of))
    return table


def _compared(
    plan: Plan, alike: Sequence[Mapping[str, Any]], best_of: Mapping[tuple[str, ...], float]
) -> dict[str, float | None]:
    """F1 and best F1 over the reference's best F1, seed by seed and then the mean; None where a reference lacks."""
    if not plan.reference:
        return {}
    references = [best_of.get(tuple({**row, **plan.reference}[f] for f in plan.factors), 0.0) for row in alike]
    compared: dict[str, float | None] = {}
    for name in ("f1", "best_f1"):
        ratios = [row[name] / best for row, best in zip(alike, references, strict=True) if best]
        compared[f"{name}_share"] = float(np.mean(ratios)) if len(ratios) == len(alike) else None
    return compared


def _as_markdown(table: Sequence[Mapping[str, Any]]) -> str:
    if not table:
        return "No run is done yet.\n"
    factors = factors_of(table)
    shares = [name for name in ("f1_share", "best_f1_share") if name in table[0]]
    head = [*factors, "runs", "F1 [95 % over groups]", "F1 over seeds", "best F1", "average precision", "threshold"]
    head += [f"{'best ' * name.startswith('best')}F1 / reference" for name in shares] + ["min"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for entry in table:
        cells = [str(entry[factor]) for factor in factors] + [str(entry["runs"])]
        interval = f"[{entry['low']:.3f}, {entry['high']:.3f}]" if entry["groups"] > 1 else "[one group]"
        cells += [f"{entry['f1']:.3f} {interval}"]
        cells += [f"{entry['seeds'][0]:.3f} to {entry['seeds'][1]:.3f}" if entry["runs"] > 1 else "one"]
        cells += [f"{entry[name]:.3f}" for name in ("best_f1", "average_precision", "threshold")]
        cells += ["" if entry[name] is None else f"{entry[name]:.3f}" for name in shares]
        lines.append("| " + " | ".join([*cells, f"{entry['minutes']:.1f}"]) + " |")
    return "\n".join(lines) + "\n"


def _origin(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> str:
    """How many runs of the study the table holds, and which code made them; a line for the end of the table's file."""
    codes = Counter(
        " ".join([str(version or "unknown"), *([f"({commit[:7]})"] if commit else [])])
        for version, commit in (row["code"] for row in rows)
    )
    made_by = ", ".join(f"{code}: {count} runs" for code, count in codes.items())
    return f"\n{plan.path.name}: {len(rows)} of {len(plan.runs)} runs. carcloc {made_by}.\n" if rows else ""
