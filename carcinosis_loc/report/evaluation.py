"""The page about a test: how good the model is where everything is labelled, and what it gets wrong."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from carcinosis_loc.annotations.fields import Entry, entries, is_number, shown
from carcinosis_loc.errors import InputError
from carcinosis_loc.report.charts import Chart, unit_chart
from carcinosis_loc.report.documents import check_ordinary, inner_path, read_object
from carcinosis_loc.report.page import render, without_threshold
from carcinosis_loc.report.pictures import Circle, circles, data_uri, mark_px

_MOST_ROWS = 100
_FIXED = ("f1", "precision", "recall", "threshold", "best_f1", "best_threshold", "average_precision", "match_radius_px")


@dataclass(frozen=True)
class WrongFrame:
    """A frame of the gallery; ``mislocated`` are lines from the peak to where the point is."""

    key: str
    label: str
    width: int
    height: int
    uri: str
    mark_px: float
    found: list[Circle]
    false: list[Circle]
    missed: list[tuple[float, float]]
    mislocated: list[tuple[float, float, float, float]]


def evaluation_page(folder: Path, *, anonymize: bool) -> str:
    """The page of a run's folder that ``carcloc test`` has filled, as HTML.

    Raises:
        InputError: a file is missing or damaged.
    """
    metrics = _metrics(folder / "metrics.json")
    curve = _curve(folder / "curve.json")
    if curve and curve["thresholds"] and (missing := [key for key in _FIXED if metrics[key] is None]):
        raise InputError(f'{folder / "metrics.json"}: "{missing[0]}" must be a number, as curve.json has a curve')
    gallery, total = _gallery(folder, anonymize)
    return render(
        "evaluation.html",
        title="Test of a model" if anonymize else f"Test of {folder.resolve().name}",
        metrics=metrics,
        curve=curve,
        charts=_charts(metrics, curve) if curve and curve["thresholds"] else [],
        rule=without_threshold(curve["threshold_rule"]) if curve else None,
        gallery=gallery,
        total=total,
        rows=_rows(folder / "per_image.csv", anonymize),
        most_rows=_MOST_ROWS,
        checkpoint=None if anonymize else _checkpoint(folder / "config_test.yaml"),
        has_predictions=(folder / "predictions" / "images.json").is_file(),
    )


def _metrics(path: Path) -> dict[str, Any]:
    metrics = read_object(path)
    for key in (*_FIXED, "n_images", "n_points"):
        if key not in metrics:
            raise InputError(f'{path}: the key "{key}" is missing; carcloc test writes it')
        if metrics[key] is not None and not is_number(metrics[key]):
            raise InputError(f'{path}: "{key}" must be a number, not {shown(metrics[key])}')
    for key in ("localisation_error_px", "count_mae"):
        if metrics.get(key) is not None and not is_number(metrics[key]):
            raise InputError(f'{path}: "{key}" must be a number, not {shown(metrics[key])}')
    return metrics


def _curve(path: Path) -> dict[str, Any] | None:
    """None where an earlier version tested, and wrote none."""
    if not path.exists():
        return None
    document = read_object(path)
    names = ("thresholds", "precision", "recall", "f1")
    columns = {name: Entry(path, "curve", 0, document).numbers(name, document.get(name)) for name in names}
    if len({len(column) for column in columns.values()}) != 1:
        raise InputError(f"{path}: its lists have different lengths; run carcloc test again")
    rule = document.get("threshold_rule")
    return {**columns, "threshold_rule": rule if isinstance(rule, str) else None}


def _charts(metrics: dict[str, Any], curve: dict[str, Any]) -> list[Chart]:
    thresholds, precision, recall, f1 = (np.array(curve[name]) for name in ("thresholds", "precision", "recall", "f1"))
    radius = f"match radius {metrics['match_radius_px']:g} px"
    return [
        unit_chart(
            "Precision over recall",
            f"Average precision {metrics['average_precision']:.3f}, {radius}; the vertical line is the recall at the "
            f"threshold in use, {metrics['recall']:.3f} (precision {metrics['precision']:.3f}).",
            ("recall", "precision"),
            recall,
            [precision],
            metrics["recall"],
            "recall in use",
        ),
        unit_chart(
            "F1 over the threshold",
            f"Best F1 {metrics['best_f1']:.3f} at {metrics['best_threshold']:.3f}; F1 {metrics['f1']:.3f} at the "
            f"threshold in use, {metrics['threshold']:.3f} (the vertical line).",
            ("threshold", "F1"),
            thresholds,
            [f1],
            metrics["threshold"],
            "threshold in use",
        ),
    ]


def _gallery(folder: Path, anonymize: bool) -> tuple[list[WrongFrame] | None, dict[str, int]]:
    path = folder / "errors.json"
    if not path.exists():
        return None, {}
    document = read_object(path)
    totals = document.get("totals")
    if not isinstance(totals, dict) or not all(is_number(totals.get(kind)) for kind in _WIDTHS):
        raise InputError(
            f'{path}: "totals" must hold a number for each of {", ".join(_WIDTHS)}; run carcloc test again'
        )
    shown_frames = []
    for entry in entries(document, "frames", path):
        wrong = {kind: _points(entry, kind, width) for kind, width in _WIDTHS.items()}
        shown_frames.append(_wrong_frame(folder, entry, wrong, anonymize))
    return shown_frames, {kind: int(totals[kind]) for kind in _WIDTHS}


_WIDTHS = {"found": 5, "mislocated": 5, "false": 3, "missed": 2}  # numbers of a point


def _points(entry: Entry, kind: str, width: int) -> list[list[float]]:
    listed = entry.required(kind)
    if not isinstance(listed, list):
        raise entry.error(f'"{kind}" must be a list, not {shown(listed)}')
    points = [entry.numbers(kind, one) for one in listed]
    if any(len(one) != width for one in points):
        raise entry.error(f'"{kind}" must hold {width} numbers a point')
    return points


def _wrong_frame(folder: Path, entry: Entry, wrong: dict[str, list[list[float]]], anonymize: bool) -> WrongFrame:
    path, image_id = inner_path(folder, entry, entry.required("picture")), entry.integer("image_id")
    size = entry.integer("height", 1), entry.integer("width", 1)
    scored = {kind: [(one[0], one[1], one[2]) for one in wrong[kind]] for kind in ("found", "false", "mislocated")}
    return WrongFrame(
        f"frame-{image_id}",
        f"image {image_id}" if anonymize else str(entry.required("file_name")),
        size[1],
        size[0],
        data_uri(path, size),
        mark_px(size),
        circles(scored["found"], size),
        circles(scored["false"], size),
        [(one[0], one[1]) for one in wrong["missed"]],
        [(one[0], one[1], one[3], one[4]) for one in wrong["mislocated"]],
    )


def _rows(path: Path, anonymize: bool) -> list[dict[str, str]]:
    """The frames with the most mistakes first; those that are not exhaustive have no F1, and come last."""
    check_ordinary(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            counts = [int(row[key] or 0) for key in ("tp", "fp", "fn", "n_points")]
            if min(counts) < 0 or not 0 <= float(row["f1"] or 0) <= 1:
                raise ValueError(f"counts and F1 of {shown(row['file_name'])} are none")
        rows.sort(key=lambda row: (row["f1"] == "", -int(row["fn"]) - int(row["fp"] or 0)))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as carcloc test writes it ({error}); run it again") from error
    return [row | ({"file_name": f"image {row['image_id']}"} if anonymize else {}) for row in rows[:_MOST_ROWS]]


def _checkpoint(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return Path(yaml.safe_load(path.read_text(encoding="utf-8"))["ckpt_path"]).name
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
