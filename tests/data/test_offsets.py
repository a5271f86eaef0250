"""How much places stand out, and the chance of a label that follows."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from carcinosis_loc.data.offsets import MOST, ContrastOffsets, log_contrast, octaves_for


def spot(radius, brightness, size=(64, 80)):
    image = np.full((*size, 3), 90, np.uint8)
    cv2.circle(image, (40, 32), radius, (brightness,) * 3, -1, cv2.LINE_AA)
    return image


def most(image):
    return float(log_contrast(image, 3).max())


def test_what_is_flat_does_not_stand_out():
    assert (log_contrast(np.full((20, 30, 3), 77, np.uint8), 3) == np.log(np.float32(1e-3))).all()


def test_the_brighter_and_the_larger_stand_out_more():
    assert most(spot(2, 130)) < most(spot(2, 200)) < most(spot(4, 200))


def test_it_is_highest_at_the_spot_and_reaches_as_far_as_a_click_misses():
    contrast = log_contrast(spot(2, 200), 3)
    y, x = np.unravel_index(contrast.argmax(), contrast.shape)
    assert np.hypot(x - 40, y - 32) <= 4
    assert contrast[32, 42] > contrast[32, 70] + 2


def test_colour_alone_stands_out():
    image = np.full((64, 80, 3), (120, 60, 60), np.uint8)
    cv2.circle(image, (40, 32), 3, (95, 95, 20), -1)
    assert most(image) > np.log(10)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 64)])
def test_any_size(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    contrast = log_contrast(image, 3)
    assert contrast.shape == size
    assert contrast.dtype == np.float32
    assert np.isfinite(contrast).all()


@pytest.mark.parametrize(("radius_px", "octaves"), [(0.5, 1), (3.0, 2), (6.0, 3), (12.0, 4), (24.0, 5)])
def test_larger_objects_have_coarser_detail(radius_px, octaves):
    assert octaves_for(radius_px) == octaves


def batch_of(*images, ids):
    rgb = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return SimpleNamespace(image=rgb, frames=[SimpleNamespace(image_id=i) for i in ids])


@given(st.floats(0.5, 9), st.floats(0.01, 0.8), st.floats(-2, 8))
def test_the_chance_rises_with_the_contrast_between_its_bounds(power, least, level):
    image = spot(3, 200)
    offset = ContrastOffsets({5: level}, 3, power, least)(batch_of(image, ids=[5]))
    assert offset.shape == (1, 1, 64, 80)
    assert offset.dtype == torch.float32
    contrast, chance = log_contrast(image, 3).ravel(), expit(offset.numpy().astype(float) + logit(MOST)).ravel()
    assert (chance > least - 1e-6).all()
    assert (chance < MOST + 1e-6).all()
    order = np.argsort(contrast)
    assert (np.diff(chance[order]) > -1e-6).all()


def test_at_the_level_it_is_halfway():
    image = spot(3, 200)
    level = most(image)
    offset = ContrastOffsets({5: level}, 3, 4.0, 0.1)(batch_of(image, ids=[5]))
    assert expit(float(offset.max()) + logit(MOST)) == pytest.approx((0.1 + MOST) / 2, abs=1e-5)


def test_on_a_whole_frame_every_place_tells_as_much_and_none_tells_more():
    offset = ContrastOffsets({5: 1.0}, 3, 4.0, 0.1)(batch_of(spot(3, 200), spot(3, 200), ids=[5, 6]))
    assert (offset[1] == 0).all()
    assert offset[0].std() > 0
    assert (offset[0] < 1e-6).all()
