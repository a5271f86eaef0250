"""Curves as the numbers of an SVG picture: where lines, ticks and bands lie. The template draws them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from carcinosis_loc.report.burden import Burden
from carcinosis_loc.report.frames import Float64, Int64
from carcinosis_loc.report.times import clock

WIDTH, HEIGHT = 720, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 40, 30, 52
_STRIP = 22  # height of a row of stations under the axis
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

Tick = tuple[float, str]


@dataclass(frozen=True)
class Span:
    """A stretch of the x axis with a name."""

    x: float
    width: float
    name: str


@dataclass
class Chart:
    """One picture, in its own units.

    Attributes:
        name, about: accessible name and description.
        x_name, y_name: what the axes show.
        x_ticks, y_ticks: place and label.
        lines, bands: SVG paths.
        bars: x, y, width and height each.
        rule: x of a vertical line (the threshold), with ``rule_name``.
        spans: named stretches under the axis.
    """

    name: str
    about: str
    x_name: str
    y_name: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[str] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    bars: list[tuple[float, float, float, float]] = field(default_factory=list)
    rule: float | None = None
    rule_name: str = ""
    spans: list[Span] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class _Scale:
    """From figures to the picture's units."""

    x_end: float
    y_end: float

    def x(self, value: float) -> float:
        return round(_LEFT + value / self.x_end * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - value / self.y_end * (HEIGHT - _TOP - _BOTTOM), 1)

    def path(self, xs: Float64, ys: Float64) -> str:
        """A line through the points, broken where ``ys`` is NaN."""
        parts, pen = [], "M"
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            if math.isnan(y):
                pen = "M"
                continue
            parts.append(f"{pen}{self.x(x)} {self.y(y)}")
            pen = "L"
        return " ".join(parts)

    def band(self, xs: Float64, low: Float64, high: Float64) -> list[str]:
        """An area between two lines for each stretch without NaN."""
        known = np.flatnonzero(~np.isnan(low))
        runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(known) else []
        outlines = [(np.r_[xs[run], xs[run][::-1]], np.r_[low[run], high[run][::-1]]) for run in runs]
        return [self.path(x, y) + " Z" for x, y in outlines]


def _nice(highest: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to at least ``highest``, whole ones."""
    raw = max(highest, 1) / most
    power = 10 ** math.floor(math.log10(raw))
    step = max(1, next(m * power for m in (1, 2, 5, 10) if m * power >= raw))
    return [step * i for i in range(math.ceil(max(highest, 1) / step) + 1)]


def burden_chart(name: str, curve: Burden, window_s: float, duration_s: float, spans: Iterable[Span] = ()) -> Chart:
    """Points a frame over a video's time, with the stations under it; a span's x and width are seconds."""
    highest = float(np.nanmax(curve.high, initial=0.0))
    y_values, x_end = _nice(max(highest, float(np.nanmax(curve.mean, initial=0.0)))), max(duration_s, 1.0)
    scale = _Scale(x_end, y_values[-1])
    step = next((one for one in _TIME_STEPS_S if x_end / one <= 5), 86400 * math.ceil(x_end / 5 / 86400))
    spans = sorted(spans, key=lambda one: one.x)
    about = f"Mean over {window_s:g} s, with the 10th to 90th percentile of the frames. {_peak(curve)}{_under(spans)}"
    chart = Chart(
        name,
        about,
        "time",
        "points a frame",
        [(scale.x(t), clock(t)) for t in np.arange(0, x_end + 1e-9, step).tolist()],
        [(scale.y(value), f"{value:g}") for value in y_values],
        [scale.path(curve.time_s, curve.mean)],
        scale.band(curve.time_s, curve.low, curve.high),
    )
    chart.spans = [
        Span(scale.x(one.x), round(scale.x(one.x + one.width) - scale.x(one.x), 1), one.name) for one in spans
    ]
    if chart.spans:
        chart.height += _STRIP
    return chart


def _under(spans: Sequence[Span]) -> str:
    """What the strip under the axis shows: a narrow stretch has no room for its name, and on a phone none has."""

    def at(seconds: float) -> str:
        return clock(seconds, 0 if float(seconds).is_integer() else 1)

    named = [f"{one.name} {at(one.x)} to {at(one.x + one.width)}" for one in spans]
    return f" Under the axis: {', '.join(named)}." if named else ""


def _peak(curve: Burden) -> str:
    if np.isnan(curve.mean).all():
        return "No frame was read."
    top = int(np.nanargmax(curve.mean))
    return f"Highest mean: {curve.mean[top]:.1f} points a frame, near {clock(curve.time_s[top])}."


def histogram_chart(counts: Int64) -> Chart:
    """How many images hold how many points."""
    highest = int(counts.max(initial=0))
    width = max(1, math.ceil((highest + 1) / 30))
    number = np.bincount(counts // width, minlength=highest // width + 1)
    y_values, x_end = _nice(float(number.max())), len(number) * width
    scale = _Scale(x_end, y_values[-1])
    bars = [
        (scale.x(i * width) + 1, scale.y(n), scale.x(width) - _LEFT - 2, HEIGHT - _BOTTOM - scale.y(n))
        for i, n in enumerate(number.tolist())
    ]
    middle = scale.x(width) - _LEFT
    labelled = range(0, len(number), max(1, math.ceil(len(number) / 10)))
    ticks = [
        (scale.x(i * width) + middle / 2, f"{i * width}" if width == 1 else f"{i * width}-{i * width + width - 1}")
        for i in labelled
    ]
    about = f"{len(counts)} images; median {np.median(counts):g}, highest {highest} points an image."
    y_ticks = [(scale.y(value), f"{value:g}") for value in y_values]
    return Chart("Points an image", about, "points an image", "images", ticks, y_ticks, bars=bars)


def unit_chart(
    name: str,
    about: str,
    axes: tuple[str, str],
    xs: Float64,
    lines: Sequence[Float64],
    rule: float | None,
    rule_name: str,
) -> Chart:
    """Curves whose axes both run from 0 to 1; ``rule`` is a vertical line."""
    scale = _Scale(1.0, 1.0)
    values = [i / 5 for i in range(6)]
    return Chart(
        name,
        about,
        *axes,
        [(scale.x(value), f"{value:.1f}") for value in values],
        [(scale.y(value), f"{value:.1f}") for value in values],
        [scale.path(xs, one) for one in lines],
        rule=None if rule is None else scale.x(rule),
        rule_name=rule_name,
    )
