import numpy as np

from carcinosis_loc.data.coverage import IGNORED, PADDING, VALID, coverage_map
from carcinosis_loc.points import Letterbox


def test_a_native_frame_is_valid_everywhere():
    assert (coverage_map(Letterbox.fit((5, 7), None)) == VALID).all()


def test_the_border_of_a_letterbox_is_padding():
    coverage = coverage_map(Letterbox.fit((10, 20), (20, 20)))
    assert (coverage[:5] == PADDING).all()
    assert (coverage[5:15] == VALID).all()
    assert (coverage[15:] == PADDING).all()


def test_an_ignored_box_covers_the_pixels_inside_and_on_its_outline():
    box = np.float32([[2, 3], [6, 3], [6, 5], [2, 5]])
    coverage = coverage_map(Letterbox.fit((10, 10), None), [box])
    wanted = np.full((10, 10), VALID)
    wanted[3:6, 2:7] = IGNORED
    np.testing.assert_array_equal(coverage, wanted)


def test_regions_that_overlap_add_up():
    one = np.float32([[0, 0], [5, 0], [5, 5], [0, 5]])
    coverage = coverage_map(Letterbox.fit((10, 10), None), [one, one + 2])
    assert (coverage[:6, :6] == IGNORED).all()
    assert (coverage[2:8, 2:8] == IGNORED).all()


def test_a_region_that_leaves_the_image_does_not_turn_padding_into_ignored():
    box = np.float32([[-15, -5], [30, -5], [30, 20], [-15, 20]])
    coverage = coverage_map(Letterbox.fit((10, 20), (20, 20)), [box])
    assert (coverage[5:15] == IGNORED).all()
    assert (coverage[:5] == PADDING).all()


def test_regions_are_scaled_with_the_image():
    box = np.float32([[9.5, 9.5], [19.5, 9.5], [19.5, 19.5], [9.5, 19.5]])  # pixels 10 to 19
    coverage = coverage_map(Letterbox.fit((40, 40), (80, 80)), [box])
    assert (coverage[20:40, 20:40] == IGNORED).all()
    assert np.count_nonzero(coverage == IGNORED) <= 22 * 22
