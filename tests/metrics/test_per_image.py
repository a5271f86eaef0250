"""One frame: its row, and ignore regions."""

from dataclasses import astuple

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_matching import RADII, SCORES, best_matching, counts_at, frame_of, frames, peaks_at, peaks_of

from carcinosis_loc.annotations.regions import mask_polygons
from carcinosis_loc.metrics import per_image
from carcinosis_loc.metrics.per_image import curve_steps, inside_any
from carcinosis_loc.points import Peaks

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)


def test_a_row_by_hand():
    """Two of three points are found, 3 and 4 px off; one peak is wrong, one lies below the threshold."""
    peaks = peaks_at((0, 3, 0.9), (50, 50, 0.8), (10, 4, 0.5), (20, 0, 0.49))
    row = per_image(peaks, frame_of([(0, 0), (10, 0), (20, 0)]), 5.0, 0.5)
    assert (row.tp, row.fp, row.fn, row.n_points, row.n_predicted) == (2, 1, 1, 3, 3)
    assert row.f1 == row.precision == row.recall == 2 / 3
    assert row.localisation_error_px == 3.5


@pytest.mark.parametrize(
    ("peaks", "points", "expected"),
    [
        ([], [], (0, 0, 0, 0, 0)),
        ([(1, 1, 0.9)], [], (0, 1, 0, 0, 1)),
        ([], [(1, 1)], (0, 0, 1, 1, 0)),
        ([(1, 1, 0.4)], [(1, 1)], (0, 0, 1, 1, 0)),
    ],
)
def test_empty_cases_are_zero(peaks, points, expected):
    row = per_image(peaks_at(*peaks), frame_of(points), 5.0, 0.5)
    assert astuple(row) == (*expected, 0, 0, 0, 0)


def test_peaks_in_an_ignore_region_are_neither_right_nor_wrong():
    row = per_image(peaks_at((5, 5, 0.9), (30, 30, 0.8)), frame_of([(30, 30)], [SQUARE]), 3.0, 0.5)
    assert (row.tp, row.fp, row.fn) == (1, 0, 0)


def test_points_in_an_ignore_region_are_truth_like_others():
    frame = frame_of([(5, 5), (8, 8)], [SQUARE])
    row = per_image(peaks_at((5, 5, 0.9), (1, 9, 0.9)), frame, 3.0, 0.5)
    assert (row.tp, row.fp, row.fn, row.n_predicted) == (1, 0, 1, 1)


def test_a_peak_in_the_region_does_not_take_a_point_from_one_outside():
    """Both reach the one point; the peak outside must not become wrong because the other came first."""
    frame = frame_of([(11, 5)], [SQUARE])
    found, counted = curve_steps(peaks_at((10, 5, 0.9), (12, 5, 0.8)), frame, 2.0)
    assert found.tolist() == [True, False]
    assert counted.tolist() == [True, False]  # with the second, one counts as before: now the one outside


@settings(deadline=None)
@given(peaks_of(), frames(), st.sampled_from(RADII))
def test_steps_are_the_definition_at_every_threshold(peaks, frame, radius):
    found, counted = curve_steps(peaks, frame, radius)
    for threshold in {*SCORES, 0.4}:
        above = peaks.scores >= np.float32(threshold)
        expected = counts_at(peaks, frame, radius, threshold)
        assert (found[above].sum(), counted[above].sum()) == expected
        row = per_image(peaks, frame, radius, threshold)
        assert (row.tp, row.n_predicted) == expected
        assert (row.tp + row.fp, row.tp + row.fn) == (row.n_predicted, row.n_points)


@settings(deadline=None)
@given(peaks_of(), frames(ignore=False), st.sampled_from(RADII))
def test_the_localisation_error_is_the_smallest_there_is(peaks, frame, radius):
    size, total = best_matching(peaks.above(0.3).xy, frame.points.xy, radius)
    assert per_image(peaks, frame, radius, 0.3).localisation_error_px == pytest.approx(total / max(1, size))


def test_inside_by_hand():
    """A bow whose two halves overlap nowhere, then a square; the outline counts as inside."""
    bow = np.array([[0, 0], [4, 4], [4, 0], [0, 4]], np.float32)
    xy = np.array([[1, 2], [3, 2], [2, 1], [2, 3], [2, 2], [0, 0], [4, 3], [5, 2], [-1, 2], [30, 25]], np.float32)
    square = SQUARE + 20
    assert inside_any(xy, (bow, square)).tolist() == [True, True, False, False, True, True, True, False, False, True]
    assert inside_any(xy, ()).tolist() == [False] * 10
    assert inside_any(xy[:0], (bow,)).shape == (0,)


@pytest.mark.parametrize("corner", [(0, 0), (10, 0), (10, 10), (0, 10), (5, 0), (0, 5), (10, 5), (5, 10)])
def test_every_side_and_corner_is_inside(corner):
    assert inside_any(np.array([corner], np.float32), (SQUARE,)).all()


@pytest.mark.parametrize("seed", range(3))
def test_inside_the_polygons_of_a_mask_are_its_pixels(seed):
    """Masks with holes and islands, as run lengths give them."""
    noise = np.random.default_rng(seed).random((40, 50), np.float32)
    mask = (cv2.GaussianBlur(noise, None, 2) > 0.5).astype(np.uint8)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    xy = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    assert (inside_any(xy, mask_polygons(mask)) == (mask.ravel() > 0)).all()


def test_no_peaks_in_a_frame_with_a_region():
    found, counted = curve_steps(Peaks.none(), frame_of([(1, 1)], [SQUARE]), 2.0)
    assert (found.shape, counted.shape) == ((0,), (0,))
