"""A study's plots: a row for each kind of run, and a line for each method over the levels of a factor."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Entry = Mapping[str, Any]
_BLUE = "#0072B2"
# Okabe and Ito's colours, and a mark for each: to be told apart without colour too.
_STYLES = tuple(
    zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"), "osD^vP*", strict=True)
)


def factors_of(table: Sequence[Entry]) -> list[str]:
    """Names of the factors of a table, the seed left out; none of an empty one."""
    names = list(table[0]) if table else []
    return names[: names.index("runs")] if table else []


def draw_rows(table: Sequence[Entry], path: Path) -> None:
    """F1 with its interval, and the best F1, a row for each entry."""
    figure, axes = _figure(8, 1.2 + 0.35 * max(1, len(table)))
    names = [", ".join(str(entry[factor]) for factor in factors_of(table)) for entry in table]
    for place, entry in enumerate(table):
        label = ("F1, 95 % over groups", "best F1") if not place else (None, None)
        axes.plot([entry["low"], entry["high"]], [place, place], color=_BLUE, linewidth=2)
        axes.plot([entry["f1"]], [place], "o", color=_BLUE, label=label[0])
        axes.plot([entry["best_f1"]], [place], "D", color="black", markersize=5, fillstyle="none", label=label[1])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)  # the first on top
    axes.set_xlim(*_range(table))
    axes.set_xlabel("F1 at the chosen threshold")
    axes.grid(axis="x", alpha=0.3)
    if table:
        figure.legend(loc="outside lower right", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


def draw_lines(table: Sequence[Entry], factor: str, path: Path) -> None:
    """F1 over the levels of one factor, a line for each combination of the others."""
    figure, axes = _figure(8, 4.5)
    levels = list(dict.fromkeys(str(entry[factor]) for entry in table))
    others = [name for name in factors_of(table) if name != factor]
    lines: dict[str, list[Entry]] = {}
    for entry in table:
        lines.setdefault(", ".join(str(entry[name]) for name in others), []).append(entry)
    for number, (name, entries) in enumerate(lines.items()):
        colour, mark = _STYLES[number % len(_STYLES)]
        x = [levels.index(str(entry[factor])) for entry in entries]
        axes.plot(x, [entry["f1"] for entry in entries], mark, linestyle="-", color=colour, label=name)
        axes.fill_between(
            x, [entry["low"] for entry in entries], [entry["high"] for entry in entries], color=colour, alpha=0.12
        )
    axes.set_xticks(range(len(levels)), levels)
    axes.set_xlabel(factor)
    axes.set_ylabel("F1 at the chosen threshold, 95 % over groups")
    axes.set_ylim(*_range(table))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=120)


def _range(table: Sequence[Entry]) -> tuple[float, float]:
    """Ends of an axis of F1, whole tenths, so that what lies close together can be told apart."""
    values = [entry[name] for entry in table for name in ("low", "high", "f1", "best_f1")] or [0.0, 1.0]
    return max(0.0, math.floor(10 * min(values) - 0.2) / 10), min(1.0, math.ceil(10 * max(values) + 0.2) / 10)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()
