"""Points on an image, told apart by colour and by shape: on red tissue, on black, in print, by colour-blind eyes.

A circle is a peak and grows with its score; a plus is a true point. So a circle around a plus is right, an empty
circle is false, and a cross alone is a point that was missed. Colours are Okabe and Ito's. Every line has a dark
edge, so that it is seen on bright grounds too.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.drawing.view import Rgb, View, view_of
from carcinosis_loc.points import Float32, Peaks, Points

Colour = tuple[int, int, int]

WHITE, GREY = (255, 255, 255), (200, 200, 200)
SKY_BLUE, ORANGE, YELLOW = (86, 180, 233), (230, 159, 0), (240, 228, 66)

_EDGE_STRENGTH = 0.55
_SUBPIXEL_BITS = 4


class Kind(NamedTuple):
    """What a mark means."""

    name: str
    colour: Colour
    shape: Literal["circle", "plus", "cross", "diamond"]


FOUND = Kind("found", SKY_BLUE, "circle")
FALSE = Kind("false", ORANGE, "circle")
MISSED = Kind("missed", YELLOW, "cross")
TRUE = Kind("true", WHITE, "plus")
LABELLED = Kind("labelled", WHITE, "diamond")
PEAK = Kind("peaks", YELLOW, "circle")
IGNORED = Kind("ignored", GREY, "circle")


class Marks(NamedTuple):
    """Points of one kind: ``xy`` ``(N, 2)``, image pixels; ``scores`` ``(N,)`` in [0, 1] where they are peaks."""

    kind: Kind
    xy: Float32
    scores: Float32 | None = None


def labels(points: Points, *, exhaustive: bool) -> list[Marks]:
    """Marks of what is known: all points where the labels are exhaustive, else the labelled ones."""
    return [Marks(TRUE if exhaustive else LABELLED, points.xy)]


def unjudged(peaks: Peaks, labelled: Points | None = None) -> list[Marks]:
    """Marks where not all objects are labelled, or none: no peak is called right or false."""
    marks = [] if labelled is None else labels(labelled, exhaustive=False)
    return [*marks, Marks(PEAK, peaks.xy, peaks.scores)]


def judged(
    peaks: Peaks, truth: Points, pairs: npt.NDArray[np.int64], ignored: npt.NDArray[np.bool_] | None = None
) -> list[Marks]:
    """Marks where all objects are known: what is right, false and missed.

    Args:
        peaks: those that count, image pixels.
        truth: all true points, image pixels.
        pairs: ``(K, 2)``, the matching: index of a peak, index of a point.
        ignored: ``(P,)``, peaks that are not false even if they match no point; None means there are none.
    """
    found, missed = np.zeros(len(peaks), np.bool_), np.ones(len(truth), np.bool_)
    found[pairs[:, 0]], missed[pairs[:, 1]] = True, False
    passed_over = ~found & (np.zeros(len(peaks), np.bool_) if ignored is None else ignored)
    marks = [Marks(TRUE, truth.xy[~missed])]
    if passed_over.any():
        marks.append(Marks(IGNORED, peaks.xy[passed_over], peaks.scores[passed_over]))
    for kind, chosen in ((FOUND, found), (FALSE, ~found & ~passed_over)):
        marks.append(Marks(kind, peaks.xy[chosen], peaks.scores[chosen]))
    return [*marks, Marks(MISSED, truth.xy[missed])]


def overlay(image: Rgb, marks: Sequence[Marks], outlines: Sequence[Float32] = (), view: View | None = None) -> Rgb:
    """Draw marks on a copy of an image.

    Args:
        image: ``(H, W, 3)``, uint8, RGB; it is left as it is.
        marks: what to draw; later ones lie on top.
        outlines: polygons ``(M, 2)``, image pixels: the ignore regions.
        view: the picture's size; None enlarges a small image and keeps a large one.

    Returns:
        ``(h, w, 3)``, uint8, RGB, in the view's size.
    """
    view = view or view_of((image.shape[0], image.shape[1]))
    picture = view.show(image)
    edges = np.zeros(picture.shape[:2], np.uint8)
    _draw_all(edges, marks, outlines, view, edge=True)
    picture = _darken(picture, edges)
    _draw_all(picture, marks, outlines, view, edge=False)
    return picture


def _draw_all(canvas: Rgb, marks: Sequence[Marks], outlines: Sequence[Float32], view: View, *, edge: bool) -> None:
    """Draw everything in its own colours, or the edges around it as a mask."""
    polygons = [_fixed_point(view.to_network(outline)) for outline in outlines]
    line_px = _line_px(view.mark_px / 2, edge)
    cv2.polylines(canvas, polygons, True, 255 if edge else GREY, line_px, cv2.LINE_AA, _SUBPIXEL_BITS)
    for one in marks:
        _draw(canvas, one, view.to_network(one.xy), view.mark_px, edge)


def draw_sample(canvas: Rgb, kind: Kind, xy: tuple[float, float]) -> None:
    """Draw one mark of ``kind`` onto ``canvas``, for a legend; a peak as one of a high score."""
    place = np.array([xy], np.float32)
    one = Marks(kind, place, np.array([0.75], np.float32) if kind.shape == "circle" else None)
    _draw(canvas, one, place, 1.0, edge=False)


def _draw(canvas: Rgb, marks: Marks, xy: Float32, mark_px: float, edge: bool) -> None:
    colour: Colour | int = 255 if edge else marks.kind.colour
    scores = np.ones(len(xy)) if marks.scores is None else marks.scores
    # What is known lies under or within the circles of what was found: its lines are thinner.
    line_px = _line_px(mark_px / 2 if marks.kind.shape in ("plus", "diamond") else mark_px, edge)
    for place, score in zip(xy, scores, strict=True):
        if marks.kind.shape == "circle":
            radius = round((4 + 5 * float(score)) * mark_px * 2**_SUBPIXEL_BITS)
            (centre,) = _fixed_point(place[None])
            cv2.circle(canvas, centre.tolist(), radius, colour, line_px, cv2.LINE_AA, _SUBPIXEL_BITS)
        else:
            for stroke in _STROKES[marks.kind.shape]:
                line = _fixed_point(place + stroke * mark_px)
                cv2.polylines(canvas, [line], False, colour, line_px, cv2.LINE_AA, _SUBPIXEL_BITS)


def _line_px(mark_px: float, edge: bool) -> int:
    line_px = max(1, round(1.6 * mark_px))
    return line_px + 2 * max(1, round(0.6 * line_px)) if edge else line_px


# Strokes as polygons around the point, (x, y) in units of ``mark_px``.
_STROKES = {
    "plus": [np.array([[-2.5, 0], [2.5, 0]]), np.array([[0, -2.5], [0, 2.5]])],
    "cross": [np.array([[-4.5, -4.5], [4.5, 4.5]]), np.array([[-4.5, 4.5], [4.5, -4.5]])],
    "diamond": [np.array([[0, -8], [8, 0], [0, 8], [-8, 0], [0, -8]])],
}


def _fixed_point(xy: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    """OpenCV's sub-pixel coordinates, kept within what it can draw."""
    return np.asarray(np.round(np.clip(xy, -1e6, 1e6) * 2**_SUBPIXEL_BITS), np.int32)


def _darken(picture: Rgb, edges: npt.NDArray[np.uint8]) -> Rgb:
    """Darken ``picture`` where edges are, and give it back; they are few, so the rest is not touched."""
    where = edges > 0
    light = 1 - _EDGE_STRENGTH / 255 * edges[where].astype(np.float32)[:, None]
    picture[where] = np.round(picture[where] * light)
    return picture
