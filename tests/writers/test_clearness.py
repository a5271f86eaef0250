"""What is hard to see is less clear."""

import cv2
import numpy as np
import pytest

from carcinosis_loc.writers.clearness import clearness


@pytest.fixture(scope="module")
def tissue():
    ground = np.random.default_rng(3).random((240, 320, 3)).astype(np.float32)
    return (cv2.GaussianBlur(ground, (0, 0), 2) * 150 + 30).astype(np.uint8)


@pytest.mark.parametrize("width", [3, 5, 9])
def test_smear_and_defocus_lower_it(tissue, width):
    assert clearness(cv2.blur(tissue, (width, 1))) < 0.95 * clearness(tissue)
    assert clearness(cv2.GaussianBlur(tissue, (width, width), 0)) < 0.95 * clearness(tissue)


def test_glare_lowers_it_although_its_edges_are_sharp(tissue):
    spots = tissue.copy()
    spots[10::30, 10::30] = 255
    assert clearness(spots) < 0.95 * clearness(tissue)
    many = tissue.copy()
    many[10::15, 10::15] = 255
    assert clearness(many) < 0.9 * clearness(spots)


def test_the_black_border_of_the_lens_is_no_matter(tissue):
    round_view = np.zeros((240, 320, 1), np.uint8)
    cv2.circle(round_view, (160, 120), 110, 1, -1)
    assert clearness(tissue * round_view) == pytest.approx(clearness(tissue), rel=0.1)


@pytest.mark.parametrize("value", [0, 90, 255])
def test_where_there_is_nothing_to_see_it_is_nothing(value):
    assert clearness(np.full((40, 50, 3), value, np.uint8)) == 0
