"""Precision, recall and F1 as figures. Matplotlib's object interface only: no window, no state between calls."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from carcinosis_loc.drawing.view import Rgb

Float64 = npt.NDArray[np.float64]

_BLUE, _GREEN, _VERMILION = "#0072B2", "#009E73", "#D55E00"  # Okabe and Ito


def curve_figure(
    thresholds: Float64, precision: Float64, recall: Float64, f1: Float64, chosen_threshold: float, title: str = ""
) -> Rgb:
    """Draw the precision-recall curve, and beside it F1, precision and recall over the threshold.

    Args:
        thresholds: ``(K,)``, falling; K may be 0.
        precision: ``(K,)``, of the peaks at or above each threshold; so are the others.
        recall: ``(K,)``, rising.
        f1: ``(K,)``.
        chosen_threshold: the one in use; it is marked in both.
        title: stands above.

    Returns:
        ``(540, 1200, 3)``, uint8, RGB.
    """
    canvas = FigureCanvasAgg(_figure(thresholds, precision, recall, f1, chosen_threshold, title))
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _figure(
    thresholds: Float64, precision: Float64, recall: Float64, f1: Float64, chosen_threshold: float, title: str
) -> Figure:
    figure = Figure(figsize=(10, 4.5), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=11)
    used = int(np.count_nonzero(thresholds >= chosen_threshold)) - 1
    _precision_recall(left, precision, recall, f1, used, chosen_threshold)
    _over_threshold(right, thresholds, precision, recall, f1, chosen_threshold)
    return figure


def _precision_recall(
    axes: Axes, precision: Float64, recall: Float64, f1: Float64, used: int, chosen_threshold: float
) -> None:
    for level in (0.2, 0.4, 0.6, 0.8):
        x = np.linspace(level / (2 - level), 1, 400)
        axes.plot(x, level * x / (2 * x - level), color="0.85", linewidth=0.8, zorder=1)
        end = (1, level / (2 - level))
        axes.annotate(f"F1 {level:.1f}", end, (5, 0), textcoords="offset points", va="center", fontsize=7, color="0.5")
    if len(recall):
        # Average precision takes each precision over the recall that it adds: steps before the point.
        axes.plot(np.r_[0, recall], np.r_[precision[0], precision], drawstyle="steps-pre", color=_BLUE, linewidth=1.5)
    if used >= 0:
        label = f"threshold {chosen_threshold:.3f}: F1 {f1[used]:.3f}"
        axes.plot(recall[used], precision[used], "o", color=_VERMILION, markersize=7, label=label)
        axes.legend(loc="lower left", frameon=False, fontsize=9)
    _frame(axes, "recall", "precision")
    axes.set_aspect("equal")


def _over_threshold(
    axes: Axes, thresholds: Float64, precision: Float64, recall: Float64, f1: Float64, chosen_threshold: float
) -> None:
    """What holds at a threshold holds down to the next lower score; above the highest score there is no peak."""
    x = np.r_[0, thresholds[::-1], 1]
    for name, values, without_peaks, colour, width in (
        ("precision", precision, np.nan, _BLUE, 1.0),
        ("recall", recall, 0, _GREEN, 1.0),
        ("F1", f1, 0, "black", 1.8),
    ):
        if len(values):
            y = np.r_[values[-1], values[::-1], without_peaks]
            axes.plot(x, y, drawstyle="steps-pre", color=colour, linewidth=width, label=name)
    axes.axvline(chosen_threshold, color=_VERMILION, linewidth=1.2, linestyle="--", label="threshold in use")
    if len(f1) and f1.max() > 0:
        best = int(f1.argmax())
        axes.plot(thresholds[best], f1[best], "D", color="black", markersize=5, label=f"best F1 {f1[best]:.3f}")
    axes.legend(loc="best", framealpha=0.85, edgecolor="none", fontsize=9)
    _frame(axes, "threshold", "")


def _frame(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y)
    axes.grid(color="0.93", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
