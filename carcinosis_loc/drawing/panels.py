"""A frame as a person wants to see it: labels, heatmap, peaks, side by side and with a legend."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carcinosis_loc.drawing.heat import Heatmap, heat_bar, heat_picture
from carcinosis_loc.drawing.marks import Marks, draw_sample, overlay
from carcinosis_loc.drawing.view import Rgb, view_of
from carcinosis_loc.points import Float32

MOST_SIDE_PX = 960  # of one of the three pictures
_LEAST_WIDTH_PX = 400  # so that the captions fit
_STRIP_PX, _TEXT_PX, _GAP_PX = 32, 14, 8
_PAPER, _INK = (28, 28, 28), (235, 235, 235)
_BAR_PX = (100, 12)


def panel(
    image: Rgb,
    labels: Sequence[Marks],
    heatmap: Heatmap,
    peaks: Sequence[Marks],
    threshold: float,
    title: str,
    outlines: Sequence[Float32] = (),
) -> Rgb:
    """Put the image with its labels, its heatmap, and its peaks side by side.

    Args:
        image: ``(H, W, 3)``, uint8, RGB.
        labels: what is known of the image.
        heatmap: what the network says.
        peaks: what was found at or above ``threshold``, beside what is known.
        threshold: the score from which a peak counts; it is written into the legend.
        title: stands above.
        outlines: polygons ``(M, 2)``, image pixels: the ignore regions.

    Returns:
        ``(h, w, 3)``, uint8, RGB.
    """
    view = view_of((image.shape[0], image.shape[1]), MOST_SIDE_PX)
    heat = heat_picture(view.show(image), heatmap.on(view))
    cells = [
        (overlay(image, labels, outlines, view), _legend("labels", labels)),
        (heat, _heat_legend(heatmap.highest)),
        (overlay(image, peaks, outlines, view), _legend(f"score \N{GREATER-THAN OR EQUAL TO} {threshold:.2f}", peaks)),
    ]
    width = max(_LEAST_WIDTH_PX, view.resized[1], *(legend.shape[1] for _, legend in cells))
    columns = [np.concatenate([_widen(cell, width), _widen(legend, width)]) for cell, legend in cells]
    gap = _paper(columns[0].shape[0], _GAP_PX)
    row = np.concatenate([columns[0], gap, columns[1], gap, columns[2]], axis=1)
    return np.concatenate([caption(title, row.shape[1]), row])


def sheet(image: Rgb, marks: Sequence[Marks], name: str, title: str) -> Rgb:
    """An image with its marks and a legend.

    Args:
        image: ``(H, W, 3)``, uint8, RGB.
        marks: what to draw.
        name: stands before the legend.
        title: stands above; the picture's enlargement is added where it has one.
    """
    view = view_of((image.shape[0], image.shape[1]))
    legend = _legend(name, marks)
    width = max(_LEAST_WIDTH_PX, view.resized[1], legend.shape[1])
    larger = view.resized[1] / image.shape[1]
    title = title if larger == 1 else f"{title}, shown {larger:.3g} times as large"
    return np.concatenate(
        [caption(title, width), _widen(overlay(image, marks, view=view), width), _widen(legend, width)]
    )


def caption(text: str, width: int) -> Rgb:
    """A strip of text, ``(32, width, 3)``; too long a text loses its beginning: file names differ at their end."""
    while len(text) > 2 and _length(text) > width - 2 * _GAP_PX:
        text = "\N{HORIZONTAL ELLIPSIS}" + text[2:]
    strip = _paper(_STRIP_PX, width)
    return _write(strip, text, _GAP_PX)


def _legend(name: str, marks: Sequence[Marks]) -> Rgb:
    """Name, then each kind of mark with its number, in a strip as wide as it takes."""
    entries = [(one.kind, f"{one.kind.name} {_total(one, marks)}") for one in marks]
    start = _GAP_PX + _length(name)
    places = [start + 22]
    for _, text in entries:
        places.append(places[-1] + 12 + _length(text) + 20)
    strip = _write(_paper(_STRIP_PX, places[-1]), name, _GAP_PX)
    for (kind, text), x in zip(entries, places[:-1], strict=True):
        draw_sample(strip, kind, (x, _STRIP_PX / 2))
        strip = _write(strip, text, x + 12)
    return strip


def _total(one: Marks, marks: Sequence[Marks]) -> int:
    """Number of points of a kind; a missed point is a true one too, though drawn otherwise."""
    missed = sum(len(other.xy) for other in marks if other.kind.name == "missed")
    return len(one.xy) + (missed if one.kind.name == "true" else 0)


def _heat_legend(highest: float) -> Rgb:
    texts = ("probability  0", f"1    highest {highest:.2f}")
    bar = heat_bar(*_BAR_PX)
    x = _GAP_PX + _length(texts[0]) + 6
    strip = _paper(_STRIP_PX, x + _BAR_PX[0] + 6 + _length(texts[1]) + _GAP_PX)
    top = (_STRIP_PX - _BAR_PX[1]) // 2
    strip[top - 1 : top + _BAR_PX[1] + 1, x - 1 : x + _BAR_PX[0] + 1] = 128
    strip[top : top + _BAR_PX[1], x : x + _BAR_PX[0]] = bar
    return _write(_write(strip, texts[0], _GAP_PX), texts[1], x + _BAR_PX[0] + 6)


def _write(strip: Rgb, text: str, x: int) -> Rgb:
    page = Image.fromarray(strip)
    ImageDraw.Draw(page).text((x, _STRIP_PX // 2), text, fill=_INK, font=_font(), anchor="lm")
    return np.array(page)


def _length(text: str) -> int:
    return round(_font().getlength(text))


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: the same letters on every machine, not only Latin ones."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), _TEXT_PX)


def _paper(height: int, width: int) -> Rgb:
    return np.full((height, width, 3), _PAPER, np.uint8)


def _widen(picture: Rgb, width: int) -> Rgb:
    """The picture in the middle of a wider one (a strip of text stays on the left)."""
    missing = width - picture.shape[1]
    left = 0 if picture.shape[0] == _STRIP_PX else missing // 2
    return np.concatenate([_paper(picture.shape[0], left), picture, _paper(picture.shape[0], missing - left)], axis=1)
