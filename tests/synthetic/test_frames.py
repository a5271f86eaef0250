import time

import numpy as np
import pytest

from carcinosis_loc.synthetic.backgrounds import background_scene
from carcinosis_loc.synthetic.frames import make_frame, make_frame_on
from carcinosis_loc.synthetic.looks import draw_look
from carcinosis_loc.synthetic.scene import shade


def frame(seed=0, size=(192, 192)):
    return make_frame(np.random.default_rng(seed), draw_look(np.random.default_rng(seed + 50)), size)


def picture(height=150, width=210):
    y, x = np.mgrid[:height, :width]
    return np.stack([180 + 30 * np.sin(x / 20), 90 + 20 * np.cos(y / 15), 80 + 0 * x], -1).astype(np.uint8)


@pytest.mark.parametrize("size", [(192, 192), (64, 64), (97, 160), (160, 97), (360, 640)])
def test_a_frame_has_the_size_and_its_points_lie_on_it(size):
    for seed in range(4):
        made = frame(seed, size)
        assert made.image.shape == (*size, 3)
        assert made.image.dtype == np.uint8
        assert made.points.shape == (len(made.radius_px), 2)
        assert made.points.dtype == np.float32
        assert (made.points >= 0).all()
        assert (made.points <= np.array([size[1] - 1, size[0] - 1])).all()
        assert ((made.conspicuity > 0) & (made.conspicuity <= 1)).all()


def test_the_same_generator_gives_the_same_frame_and_another_one_another():
    first, again, other = frame(1), frame(1), frame(2)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.image, other.image)


def test_it_looks_like_tissue_red_and_neither_black_nor_burnt_out():
    for seed in range(8):
        image = frame(seed).image.astype(float)
        lit = image[image.max(-1) > 40]
        assert len(lit) > 0.5 * image.shape[0] * image.shape[1]
        assert lit[:, 0].mean() > lit[:, 1].mean() + 20
        assert (image.min(-1) > 250).mean() < 0.12


def test_nodules_are_paler_than_what_is_around_them():
    gains = []
    for seed in range(12):
        made = frame(seed)
        y, x = np.mgrid[:192, :192]
        for (px, py), radius in zip(made.points, made.radius_px, strict=True):
            distance = np.hypot(x - px, y - py) / radius
            inside, around = made.image[distance < 0.6], made.image[(distance > 1.5) & (distance < 2.2)]
            if len(inside) and len(around):
                gains.append(float(inside[:, 2].mean() - np.median(around[:, 2])))
    assert len(gains) > 200
    assert np.mean(np.array(gains) > 0) > 0.95


def test_a_background_without_nodules_is_shown_as_it_is():
    rng = np.random.default_rng(0)
    image = picture()
    scene = background_scene(rng, image, (150, 210))
    display = np.sqrt(shade(scene, draw_look(rng))) * 255
    # the same crop: a flat relief shades to the picture itself
    again = background_scene(np.random.default_rng(0), image, (150, 210))
    assert np.abs(display - np.sqrt(again.albedo * again.light) * 255).max() < 0.01
    assert abs(float(display.mean()) - float(image.mean())) < 6


def test_nodules_are_painted_on_a_background_and_nothing_else_changes():
    image = picture()
    made = make_frame_on(np.random.default_rng(3), draw_look(np.random.default_rng(4)), image, (192, 192))
    scene = background_scene(np.random.default_rng(3), image, (192, 192))
    bare = np.rint(np.sqrt(shade(scene, draw_look(np.random.default_rng(4)))) * 255).transpose(1, 2, 0)
    assert len(made.points) > 5
    y, x = np.mgrid[:192, :192]
    far = np.ones((192, 192), bool)
    for (px, py), radius in zip(made.points, made.radius_px, strict=True):
        far &= np.hypot(x - px, y - py) > 2.2 * radius + 4
        assert np.abs(made.image.astype(int) - bare)[round(float(py)), round(float(px))].max() > 5
    assert far.mean() > 0.2
    assert np.abs(made.image.astype(int) - bare)[far].max() <= 1


def test_nodules_keep_off_the_dark_border_of_a_background():
    image = picture(192, 192)
    image[:, :96] = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        made = make_frame_on(rng, draw_look(rng), image, (192, 192))
        for x, y in np.rint(made.points).astype(int):
            assert made.image[y, x].max() > 40


@pytest.mark.slow
def test_a_frame_takes_milliseconds():
    began = time.process_time()
    for seed in range(20):
        frame(seed)
    assert (time.process_time() - began) / 20 < 0.08
