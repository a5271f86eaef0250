import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.drawing import (
    Heatmap,
    Marks,
    curve_figure,
    heat_bar,
    heat_picture,
    jpeg,
    judged,
    labels,
    overlay,
    panel,
    png,
    unjudged,
    view_of,
)
from carcinosis_loc.drawing import marks as kinds
from carcinosis_loc.drawing.curves import _figure
from carcinosis_loc.drawing.panels import _STRIP_PX
from carcinosis_loc.points import Letterbox, Peaks, Points, image_to_map, map_size

GROUNDS = {"black": (0, 0, 0), "white": (255, 255, 255), "tissue": (176, 84, 74), "fat": (220, 190, 90)}
KINDS = (kinds.FOUND, kinds.FALSE, kinds.MISSED, kinds.TRUE, kinds.LABELLED, kinds.PEAK, kinds.IGNORED)


def plain(size, colour=(0, 0, 0)):
    return np.full((*size, 3), colour, np.uint8)


def peak(x, y, score=0.9):
    return Peaks(np.array([[x, y]], np.float32), np.array([score], np.float32))


def changed(image, marks, view):
    """Where a picture differs from one without marks; rows and columns."""
    return np.nonzero((overlay(image, marks, view=view) != overlay(image, [], view=view)).any(-1))


def by_name(marks):
    return {one.kind.name: one.xy.tolist() for one in marks}


def test_small_images_are_enlarged_large_ones_kept_and_thin_ones_bounded():
    assert view_of((240, 320)).resized == (480, 640)
    assert view_of((720, 1280)).resized == (720, 1280)
    assert view_of((720, 1280), 640).resized == (360, 640)
    assert view_of((2, 3000)).resized == (2, 3000)
    assert max(view_of((1, 200)).resized) <= 1920
    assert view_of((1, 1)).resized == (480, 480)


def test_an_overlay_without_marks_is_the_image_and_never_the_same_array():
    image = np.random.default_rng(0).integers(0, 256, (500, 600, 3), dtype=np.uint8)
    before = image.copy()
    picture = overlay(image, unjudged(Peaks.none(), Points.none()))
    assert np.array_equal(picture, image)
    overlay(image, unjudged(peak(50, 60)), outlines=[np.array([[1, 1], [90, 1], [40, 80]], np.float32)])
    assert np.array_equal(image, before)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(60, 900), st.integers(60, 900)),
    st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    st.sampled_from(KINDS),
)
def test_marks_lie_where_their_points_are(size, place, kind):
    view = view_of(size, 960)
    xy = np.array([[place[0] * size[1], place[1] * size[0]]], np.float32)
    rows, columns = changed(plain(size, (120, 120, 120)), [Marks(kind, xy)], view)
    middle = [(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2]
    assert middle == pytest.approx(view.to_network(xy)[0], abs=1.01)


def test_a_point_at_a_pixels_centre_is_marked_symmetrically():
    rows, columns = changed(
        plain((600, 600)), [Marks(kinds.FOUND, np.array([[300, 200]], np.float32))], view_of((600, 600))
    )
    assert set(zip(rows - 200, columns - 300, strict=True)) == set(zip(200 - rows, 300 - columns, strict=True))


def test_a_higher_score_draws_a_larger_circle():
    view = view_of((500, 500))
    widths = [np.ptp(changed(plain((500, 500)), unjudged(peak(250, 250, s)), view)[1]) for s in (0.1, 0.5, 0.9)]
    assert widths[0] + 3 < widths[1] < widths[2] - 3


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_mark_is_seen_on_every_ground(kind, ground):
    image = plain((500, 500), GROUNDS[ground])
    picture = overlay(image, [Marks(kind, np.array([[250, 250]], np.float32))])
    difference = np.abs(picture.astype(int) - image).sum(-1)
    assert np.count_nonzero(difference > 150) > 8


# Machado, Oliveira and Fernandes 2009, full strength; on linear RGB.
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("eye", BLIND)
def test_colour_blind_eyes_tell_found_from_false_and_missed(eye):
    def seen(kind):
        linear = (np.array(kind.colour) / 255) ** 2.2
        return np.clip(np.array(BLIND[eye]) @ linear, 0, 1) ** (1 / 2.2) * 255

    for other in (kinds.FALSE, kinds.MISSED):
        assert np.linalg.norm(seen(kinds.FOUND) - seen(other)) > 60
    # False and missed are both warm: there the shape tells them apart.
    assert kinds.FALSE.shape != kinds.MISSED.shape


def test_what_is_right_false_missed_or_passed_over():
    peaks = Peaks(np.array([[10, 10], [50, 50], [90, 90]], np.float32), np.array([0.9, 0.8, 0.7], np.float32))
    truth = Points(np.array([[11, 10], [30, 30]], np.float32))
    pairs = np.array([[0, 0]])
    expected = {"true": [[11, 10]], "found": [[10, 10]], "false": [[50, 50], [90, 90]], "missed": [[30, 30]]}
    assert by_name(judged(peaks, truth, pairs)) == expected
    ignored = np.array([True, False, True])
    expected |= {"false": [[50, 50]], "ignored": [[90, 90]]}
    assert by_name(judged(peaks, truth, pairs, ignored)) == expected
    assert by_name(unjudged(peaks, truth)) == {"labelled": truth.xy.tolist(), "peaks": peaks.xy.tolist()}
    assert by_name(labels(truth, exhaustive=True)) == {"true": truth.xy.tolist()}
    empty = judged(Peaks.none(), Points.none(), np.zeros((0, 2), np.int64))
    assert all(points == [] for points in by_name(empty).values())


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(70, 400), st.integers(70, 400)),
    st.sampled_from([None, (128, 192), (256, 128)]),
    st.sampled_from([1, 2, 4]),
    st.tuples(st.floats(0.25, 0.75), st.floats(0.25, 0.75)),
)
def test_the_heatmap_lies_on_its_image(size, canvas, stride, place):
    """A Gaussian rendered where a point falls on the map shows up where the point is in the picture."""
    box, view = Letterbox.fit(size, canvas), view_of(size, 960)
    xy = np.array([[place[0] * (size[1] - 1), place[1] * (size[0] - 1)]], np.float32)
    x, y = image_to_map(box.to_network(xy), stride)[0]
    height, width = map_size(box.canvas, stride)
    rows, columns = np.mgrid[:height, :width]
    sigma = 1.5
    heat = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)).astype(np.float32)
    shown = Heatmap(heat, box, stride).on(view)
    assert shown.shape == view.resized
    weight = np.where(shown > 0.3, shown, 0)
    rows, columns = np.mgrid[: shown.shape[0], : shown.shape[1]]
    centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    cell = np.array(view.resized[::-1]) / np.array(box.resized[::-1]) * stride  # in pixels of the picture
    assert (np.abs(centre - view.to_network(xy)[0]) < 0.15 * cell + 0.02).all()


def test_padding_does_not_show():
    """The canvas holds 9 below and above a frame of 1s; on the frame only the 1s are seen."""
    box = Letterbox.fit((64, 128), (128, 128))
    assert box.offset == (0, 32)
    heat = np.full((32, 32), 9, np.float32)
    heat[8:24] = 1
    shown = Heatmap(heat, box, 4).on(view_of((64, 128), 128))
    assert (shown[2:-2] == 1).all()
    assert Heatmap(heat, box, 4).highest == 1


def test_the_heat_scale_is_absolute():
    image = plain((60, 80), (200, 200, 200))
    faint = np.full((60, 80), 0.05, np.float32)
    faint[30, 40] = 0.1
    strong = faint * 10
    assert not np.array_equal(heat_picture(image, faint), heat_picture(image, strong))
    assert np.array_equal(heat_picture(image, np.zeros((60, 80), np.float32)), plain((60, 80), (110, 110, 110)))
    brightest = heat_bar(256, 1)[0, -1]
    assert (heat_picture(image, np.ones((60, 80), np.float32)) == brightest).all()


def test_the_colours_of_heat_rise_in_brightness():
    lightness = cv2.cvtColor(heat_bar(256, 1), cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(lightness) >= 0).all()
    assert np.ptp(lightness) > 230


def parts_of(size, title="frame.png", score=0.8):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    heatmap = Heatmap(np.full(map_size(size, 4), 0.25, np.float32), Letterbox.fit(size, None), 4)
    x, y = size[1] / 2, size[0] / 2
    known = Points(np.array([[x, y]], np.float32))
    return (
        image,
        labels(known, exhaustive=True),
        heatmap,
        judged(peak(x, y, score), known, np.array([[0, 0]])),
        0.5,
        title,
    )


def test_a_panel_holds_the_three_pictures_side_by_side():
    image, known, heatmap, found, threshold, title = parts_of((300, 500))
    view = view_of((300, 500), 960)
    (height, width), picture = view.resized, panel(image, known, heatmap, found, threshold, title)
    cells = np.split(picture[_STRIP_PX : _STRIP_PX + height], [width, width + 8, 2 * width + 8, 2 * width + 16], axis=1)
    assert np.array_equal(cells[0], overlay(image, known, view=view))
    assert np.array_equal(cells[2], heat_picture(view.show(image), heatmap.on(view)))
    assert np.array_equal(cells[4], overlay(image, found, view=view))


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (64, 64), (720, 1280)])
def test_panels_of_odd_sizes(size):
    picture = panel(*parts_of(size))
    assert picture.dtype == np.uint8
    assert picture.shape[1] >= 1200
    assert picture.shape[0] <= 960 + 3 * _STRIP_PX


def test_a_title_that_is_too_long_keeps_its_end():
    short, long = (panel(*parts_of((64, 64), title)) for title in ("end.png", "folder/" * 80 + "end.png"))
    assert short.shape == long.shape
    longer = panel(*parts_of((64, 64), "other/" * 80 + "folder/" * 80 + "end.png"))
    assert np.array_equal(long, longer)
    assert not np.array_equal(short[:_STRIP_PX], long[:_STRIP_PX])


def test_a_png_holds_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    decoded = cv2.imdecode(np.frombuffer(png(picture), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded[..., ::-1], picture)


def test_a_jpeg_holds_the_picture_nearly_and_no_metadata():
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:, :24] = (200, 60, 40)
    data = jpeg(picture, 95)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - picture)[:, :16].max() < 12
    assert b"Exif" not in data
    assert len(jpeg(picture, 10)) < len(data)


CURVE = [np.array(values) for values in ([0.9, 0.6, 0.3], [1.0, 0.5, 2 / 3], [0.25, 0.25, 0.5], [0.4, 1 / 3, 4 / 7])]


def mark_of(figure):
    """The place of the threshold in use, in the left diagram."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.95, []), (0.9, [(0.25, 1.0)]), (0.7, [(0.25, 1.0)]), (0.6, [(0.25, 0.5)]), (0.1, [(0.5, 2 / 3)])],
)
def test_the_threshold_in_use_is_marked_where_it_falls_on_the_curve(threshold, expected):
    assert mark_of(_figure(*CURVE, threshold, "")) == expected


def test_f1_over_the_threshold_is_a_step_function():
    figure = _figure(*CURVE, 0.5, "title")
    (line,) = [line for line in figure.axes[1].lines if line.get_label() == "F1"]
    assert line.get_xdata().tolist() == [0, 0.3, 0.6, 0.9, 1]
    assert line.get_ydata() == pytest.approx([4 / 7, 4 / 7, 1 / 3, 0.4, 0])
    assert line.get_drawstyle() == "steps-pre"


def test_curves_are_drawn_even_without_peaks():
    none = np.zeros(0)
    for curve in (CURVE, [none] * 4):
        picture = curve_figure(*curve, 0.5, "title")
        assert picture.shape == (540, 1200, 3)
        assert picture.dtype == np.uint8
        assert (picture != 255).any()


def test_no_window_system_is_touched():
    code = (
        "import sys, numpy as np; from carcinosis_loc.drawing import curve_figure; z = np.zeros(0);"
        "curve_figure(z, z, z, z, 0.5); print('matplotlib.pyplot' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
