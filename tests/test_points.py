"""The containers, and the convention that every coordinate in the tool follows."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.points import (
    Letterbox,
    Peaks,
    Points,
    image_to_map,
    map_size,
    map_to_image,
)


def test_pixel_centres_lie_at_integers():
    """At stride 4 the first cell covers pixels 0 to 3, whose middle is 1.5."""
    assert map_to_image(np.array([0.0, 0.0]), 4).tolist() == [1.5, 1.5]
    assert image_to_map(np.array([1.5, 5.5]), 4).tolist() == [0.0, 1.0]
    assert image_to_map(np.array([-0.5, 3.5]), 4).tolist() == [-0.5, 0.5]  # edges of the first cell


@given(st.floats(-1e4, 1e4), st.sampled_from([1, 2, 4, 8, 32]))
def test_to_the_map_and_back(x, stride):
    assert map_to_image(image_to_map(x, stride), stride) == pytest.approx(x, abs=1e-6)


def test_map_size_rounds_up():
    assert map_size((720, 1280), 4) == (180, 320)
    assert map_size((721, 1), 4) == (181, 1)


def test_points_are_checked():
    assert Points.none().xy.shape == (0, 2)
    assert Points([]).xy.shape == (0, 2)
    assert Points([[1, 2]]).xy.dtype == np.float32
    for wrong in ([1, 2], [[1, 2, 3]], np.zeros((2, 2, 2))):
        with pytest.raises(ValueError, match="shape"):
            Points(wrong)
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            Points([[1, wrong]])


def test_peaks_are_checked_and_cut():
    peaks = Peaks([[1, 1], [2, 2], [3, 3]], [0.9, 0.5, 0.5])
    assert len(peaks.above(0.5)) == 3
    assert len(peaks.above(0.51)) == 1
    assert len(Peaks.none().above(0)) == 0
    for scores in ([0.5, 0.9, 0.1], [0.9, 0.5], [1.5, 0.5, 0.1], [0.9, 0.5, -0.1]):
        with pytest.raises(ValueError, match="score"):
            Peaks([[1, 1], [2, 2], [3, 3]], scores)


sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


@given(sizes, sizes, st.floats(0, 1), st.floats(0, 1))
def test_letterbox_maps_back_exactly_and_stays_inside(source, canvas, u, v):
    box = Letterbox.fit(source, canvas)
    point = np.array([[u * source[1] - 0.5, v * source[0] - 0.5]], np.float32)
    there = box.to_network(point)
    shrunk = max(1, source[0] / box.resized[0], source[1] / box.resized[1])  # float32 errs by that much more
    assert np.allclose(box.to_image(there), point, atol=1e-2 * shrunk)
    x, y = there[0] - box.offset
    assert -0.51 <= x <= box.resized[1] - 0.49
    assert -0.51 <= y <= box.resized[0] - 0.49
    assert box.resized[0] <= canvas[0]
    assert box.resized[1] <= canvas[1]


def test_letterbox_agrees_with_opencv():
    """A dot drawn before resizing lies where its mapped point says."""
    image = np.zeros((90, 120), np.float32)
    yy, xx = np.mgrid[:90, :120]
    image += np.exp(-((xx - 40.3) ** 2 + (yy - 61.8) ** 2) / 50).astype(np.float32)
    for canvas in ((180, 400), (45, 45)):
        box = Letterbox.fit((90, 120), canvas)
        flag = cv2.INTER_AREA if box.resized[0] < 90 else cv2.INTER_LINEAR
        small = cv2.resize(image, box.resized[::-1], interpolation=flag)
        rows, columns = np.mgrid[: box.resized[0], : box.resized[1]]
        centroid = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum() + box.offset
        assert np.abs(centroid - box.to_network(np.array([[40.3, 61.8]], np.float32))[0]).max() < 0.1


def test_no_canvas_is_the_identity():
    box = Letterbox.fit((33, 44), None)
    point = np.array([[3.25, 7.5]], np.float32)
    assert (box.to_network(point) == point).all()
    assert box.canvas == (33, 44)


def test_peaks_stay_on_the_image():
    box = Letterbox.fit((33, 65), None)
    peaks = box.peaks_to_image(Peaks([[65.5, 34.0], [-0.6, 3.0], [5.25, 6.5]], [0.9, 0.8, 0.7]))
    assert peaks.xy.tolist() == [[64.5, 32.5], [-0.5, 3.0], [5.25, 6.5]]
