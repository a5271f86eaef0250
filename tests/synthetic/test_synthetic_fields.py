import numpy as np
import pytest

from carcinosis_loc.synthetic.fields import (
    blur,
    directed_noise,
    fractal_noise,
    mix,
    offsets,
    smooth_noise,
    smoothstep,
    unit,
)

SIZES = [(64, 64), (65, 97), (120, 71)]


def test_unit_is_one_at_192_and_follows_the_shorter_side():
    assert unit((192, 400)) == 1.0
    assert unit((1280, 720)) == 3.75


def test_smoothstep_rises_and_falls():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0], np.float32)
    np.testing.assert_allclose(smoothstep(0, 1, x), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(1, 0, x), [1, 1, 0.5, 0, 0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cell_px", [1.5, 6.0, 23.0, 200.0])
def test_noise_has_the_size_and_is_float32(size, cell_px):
    for field in (
        smooth_noise(np.random.default_rng(0), size, cell_px),
        directed_noise(np.random.default_rng(0), size, (2 * cell_px, cell_px), 0.7, wander=0.5),
        fractal_noise(np.random.default_rng(0), size, cell_px),
    ):
        assert field.shape == size
        assert field.dtype == np.float32
        assert np.isfinite(field).all()


def test_noise_is_about_standard_and_as_coarse_as_asked_for():
    fine, coarse = (smooth_noise(np.random.default_rng(1), (400, 400), cell) for cell in (4.0, 40.0))
    assert abs(float(fine.mean())) < 0.1
    assert 0.7 < float(fine.std()) < 1.4
    steps = [float(np.abs(np.diff(field, axis=1)).mean()) for field in (fine, coarse)]
    assert steps[0] > 5 * steps[1]


def test_directed_noise_changes_least_along_its_direction():
    field = directed_noise(np.random.default_rng(2), (300, 300), (60.0, 6.0), 0.0)
    assert np.abs(np.diff(field, axis=0)).mean() > 4 * np.abs(np.diff(field, axis=1)).mean()


@pytest.mark.parametrize("sigma_px", [0.5, 3.0, 30.0])
def test_blur_keeps_a_constant_and_the_mean(sigma_px):
    np.testing.assert_allclose(blur(np.full((50, 70), 3.0, np.float32), sigma_px), 3.0, rtol=1e-5)


def test_mix_blends_each_channel():
    image = np.zeros((3, 2, 2), np.float32)
    mix(image, np.array([1, 2, 4], np.float32).reshape(3, 1, 1), np.array([[0, 1], [0.5, 0.25]], np.float32))
    np.testing.assert_allclose(image[2], [[0, 4], [2, 1]])


def test_offsets_are_zero_at_the_centre():
    x, y = offsets((4, 6), (2.0, 1.0))
    assert x.shape == (1, 6)
    assert y.shape == (4, 1)
    assert x[0, 2] == 0
    assert y[1, 0] == 0
