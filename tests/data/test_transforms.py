import os
import pickle
import random

import cv2
import numpy as np
import pytest
from dots import BACKGROUND, centroid, draw_dot, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.data.coverage import IGNORED, PADDING, VALID, coverage_map
from carcinosis_loc.data.effects import SpecularSpots
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Letterbox

SIZE = (97, 130)
OFF = {
    "crop_size_px": None,
    "flips": False,
    "quarter_turns": False,
    "scale_range": (1.0, 1.0),
    "crop_around_points": 0.0,
    "colour_probability": 0.0,
    "gamma_probability": 0.0,
    "noise_probability": 0.0,
    "blur_probability": 0.0,
    "defocus_probability": 0.0,
    "specular_probability": 0.0,
    "smoke_probability": 0.0,
}
ON = {key: 1.0 for key in OFF if key.endswith("_probability")}
SINGLY = {
    "nothing": ({}, 0.05),
    "flips": ({"flips": True}, 0.05),
    "quarter turns": ({"quarter_turns": True, "crop_size_px": 140}, 0.05),
    "turns on the frame": ({"quarter_turns": True}, 0.05),
    "crop": ({"crop_size_px": 64}, 0.05),
    "crop with padding": ({"crop_size_px": 150}, 0.05),
    "enlarge": ({"scale_range": (1.0, 2.0)}, 0.1),
    "shrink": ({"scale_range": (0.5, 1.0)}, 0.1),
    "colour": ({"colour_probability": 1.0}, 0.1),
    "gamma": ({"gamma_probability": 1.0}, 0.1),
    "noise": ({"noise_probability": 1.0}, 0.1),
    "blur": ({"blur_probability": 1.0}, 0.1),
    "defocus": ({"defocus_probability": 1.0}, 0.1),
    "smoke": ({"smoke_probability": 1.0}, 0.1),
    "geometry": (
        {"flips": True, "quarter_turns": True, "scale_range": (1.0, 1.5), "crop_size_px": 96}
        | {"crop_around_points": 1.0},
        0.1,
    ),
    "all": (
        ON
        | {"flips": True, "quarter_turns": True, "scale_range": (0.8, 1.5), "crop_size_px": 96}
        | {"crop_around_points": 1.0, "specular_probability": 0.0},
        0.3,
    ),
}  # fmt: skip


def whole(size):
    return coverage_map(Letterbox.fit(size, None))


def both_pictures(transform, xy, seed):
    """The same change of a picture with a dot and without; and where the point went."""
    points = np.float32([xy])
    with_dot, moved, *_ = transform(draw_dot(SIZE, xy), points, whole(SIZE), seed)
    without, *_ = transform(plain(SIZE), points, whole(SIZE), seed)
    return with_dot, without, moved


def test_the_measure_itself():
    for xy in [(40.0, 30.0), (40.5, 30.25), (39.9, 60.71)]:
        assert np.abs(centroid(draw_dot(SIZE, xy), plain(SIZE), near=(40, xy[1])) - xy).max() < 0.03


@pytest.mark.parametrize("name", SINGLY)
def test_points_leave_with_their_pixels(name):
    arguments, tolerance_px = SINGLY[name]
    transform = TrainTransform(**OFF | arguments)
    generator = np.random.default_rng(0)
    errors = []
    for seed in range(40):
        xy = generator.uniform((20, 20), (SIZE[1] - 21, SIZE[0] - 21))
        with_dot, without, moved = both_pictures(transform, xy, seed)
        seen = centroid(with_dot, without, moved[0]) if len(moved) else None
        if seen is not None:
            errors.append(np.abs(seen - moved[0]).max())
    assert len(errors) >= 10
    assert max(errors) < tolerance_px


def test_highlights_do_not_move_a_dot_that_they_do_not_cover():
    transform = TrainTransform(**OFF | {"specular_probability": 1.0})
    clear = covered = 0
    for seed in range(40):
        with_dot, without, moved = both_pictures(transform, (60.3, 50.8), seed)
        covered += (without != BACKGROUND).any()
        if (without[38:64, 48:74] == BACKGROUND).all():
            clear += 1
            assert np.abs(centroid(with_dot, without, moved[0]) - moved[0]).max() < 0.05
    assert clear >= 10
    assert covered == 40


def test_highlights_come_in_patches_of_many():
    """Patches cover more than single spots do, in many pieces, and stay within the picture."""
    image = np.full((120, 160, 3), 100, np.uint8)

    def pieces(seed, patches):
        effect = SpecularSpots(max_spots=1, max_patches=patches, p=1.0)
        effect.set_random_state(np.random.default_rng(seed), random.Random(seed))
        lit = effect(image=image)["image"]
        assert lit.shape == image.shape
        assert lit.min() == 100
        return cv2.connectedComponents((lit[:, :, 0] > 130).astype(np.uint8))[0] - 1

    alone = [pieces(seed, 0) for seed in range(20)]
    patched = [pieces(seed, 6) for seed in range(20)]
    assert max(alone) == 1
    assert np.mean(patched) > 10


def test_all_eight_orientations_and_no_others():
    """With scale 1 the pixels are copied, not interpolated."""
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    turned = [np.rot90(image, quarter) for quarter in range(4)]
    wanted = {
        (True, True): {v.tobytes() for t in turned for v in (t, t[:, ::-1])},
        (False, True): {t.tobytes() for t in turned},
        (True, False): {v.tobytes() for v in (image, image[::-1], image[:, ::-1], image[::-1, ::-1])},
        (False, False): {image.tobytes()},
    }
    for (flips, quarter_turns), pictures in wanted.items():
        transform = TrainTransform(**OFF | {"flips": flips, "quarter_turns": quarter_turns})
        seen = {transform(image, np.zeros((0, 2)), whole((16, 16)), seed)[0].tobytes() for seed in range(120)}
        assert seen == pictures


def test_a_frame_that_is_not_square_keeps_its_size():
    transform = TrainTransform(**OFF | {"flips": True, "quarter_turns": True, "scale_range": (0.5, 2.0)})
    for seed in range(20):
        image, _, coverage, _ = transform(plain(SIZE), np.zeros((0, 2)), whole(SIZE), seed)
        assert image.shape[:2] == coverage.shape == SIZE


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**64 - 1),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from([None, 1, 24, 48, 96]),
    st.tuples(st.floats(0.4, 1), st.floats(1, 2.5)),
)
def test_points_inside_stay_and_points_outside_go(seed, size, crop_size_px, scale_range):
    """Against the pixels: the image's red and green hold each pixel's own column and row."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([columns * 4, rows * 4, np.full(size, 255)], -1).astype(np.uint8)
    xy = np.stack([columns, rows], -1).reshape(-1, 2).astype(np.float32)
    geometry = {"flips": True, "quarter_turns": True, "crop_around_points": 0.5, "crop_size_px": crop_size_px}
    window, moved, coverage, _ = TrainTransform(**OFF | geometry)(image, xy, whole(size), seed)
    kept = {(x * 4, y * 4) for x, y in xy.astype(int) if (window == (x * 4, y * 4, 255)).all(-1).any()}
    assert len(moved) == np.count_nonzero(coverage == VALID) == len(kept)  # scale 1: a point is a pixel
    for x, y in np.round(moved).astype(int):
        assert tuple(int(value) for value in window[y, x, :2]) in kept
    scaled, moved, coverage, _ = TrainTransform(**OFF | geometry | {"scale_range": scale_range})(
        image, xy, whole(size), seed
    )
    height, width = coverage.shape
    assert (moved >= -0.5).all()
    assert (moved <= (width - 0.5, height - 0.5)).all()
    assert (scaled[coverage == PADDING] == 0).all()
    assert (scaled[coverage == VALID][:, 2] == 255).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(-0.5, 199.5), st.floats(-0.5, 149.5), st.sampled_from([8, 33, 150, 300]))
def test_a_window_around_points_holds_one(seed, x, y, crop_size_px):
    arguments = {"crop_size_px": crop_size_px, "crop_around_points": 1.0, "scale_range": (0.5, 2.0)}
    transform = TrainTransform(**OFF | {"flips": True, "quarter_turns": True} | arguments)
    _, moved, *_ = transform(plain((150, 200)), np.float32([[x, y]]), whole((150, 200)), seed)
    assert len(moved) == 1


def test_windows_lie_anywhere_in_the_frame():
    """Every corner is reached, and every place about equally often."""
    rows, columns = np.mgrid[:12, :14]
    image = np.stack([columns, rows, rows], -1).astype(np.uint8)
    transform = TrainTransform(**OFF | {"crop_size_px": 8})
    windows = [transform(image, np.zeros((0, 2)), whole((12, 14)), seed)[0] for seed in range(700)]
    starts, counts = np.unique([window[0, 0, :2] for window in windows], axis=0, return_counts=True)
    assert starts.tolist() == [[x, y] for x in range(7) for y in range(5)]
    assert counts.min() > 5
    assert counts.max() < 45  # 20 are expected


def test_padding_is_black_and_not_valid():
    transform = TrainTransform(**OFF | ON | {"crop_size_px": 160})
    for seed in range(10):
        image, _, coverage, _ = transform(plain(SIZE), np.zeros((0, 2)), whole(SIZE), seed)
        assert np.count_nonzero(coverage == VALID) == SIZE[0] * SIZE[1]
        assert np.count_nonzero(coverage == PADDING) == 160 * 160 - SIZE[0] * SIZE[1]
        assert (image[coverage == PADDING] == 0).all()


def test_ignore_regions_move_with_their_pixels():
    coverage = coverage_map(Letterbox.fit(SIZE, None), [np.float32([[20, 10], [70, 15], [40, 60]])])
    image = plain(SIZE)
    image[coverage == IGNORED] = 255
    assert np.count_nonzero(coverage == IGNORED) > 1000
    exact = TrainTransform(**OFF | {"crop_size_px": 64, "flips": True, "quarter_turns": True})
    scaled = TrainTransform(**OFF | {"crop_size_px": 64, "flips": True, "scale_range": (0.6, 1.6)})
    for seed in range(20):
        window, _, moved, _ = exact(image, np.zeros((0, 2)), coverage, seed)
        np.testing.assert_array_equal(moved == IGNORED, window[..., 0] == 255)
        window, _, moved, _ = scaled(image, np.zeros((0, 2)), coverage, seed)
        clear = (window[..., 0] == 255) | (window[..., 0] == BACKGROUND[0])  # not on an edge
        np.testing.assert_array_equal((moved == IGNORED)[clear], (window[..., 0] == 255)[clear])


def test_the_seed_alone_decides():
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    xy = np.float32([[5, 5], [90, 60]])
    everything = ON | {"crop_size_px": 64, "flips": True, "quarter_turns": True, "scale_range": (0.7, 1.5)}
    transform = TrainTransform(**OFF | everything)
    first = [transform(image, xy, whole(SIZE), seed) for seed in range(8)]
    np.random.default_rng().random()
    np.random.seed(3)  # noqa: NPY002 - the global state must not matter
    other = pickle.loads(pickle.dumps(transform))
    second = [other(image, xy, whole(SIZE), seed) for seed in reversed(range(8))][::-1]
    for one, two in zip(first, second, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len({one[0].tobytes() for one in first}) == 8


def test_effects_are_drawn_independently():
    """Each effect with one half: all 8 on-off patterns of three of them occur."""
    names = ("noise", "blur", "gamma")
    image = np.random.default_rng(0).integers(40, 200, (24, 24, 3), dtype=np.uint8)
    transform = TrainTransform(**OFF | {f"{name}_probability": 0.5 for name in names})
    effects = [effect for effect in transform.effects if effect.p == 0.5]
    patterns = set()
    for seed in range(200):
        transform(image, np.zeros((0, 2)), whole((24, 24)), seed)
        patterns.add(tuple(bool(effect.params) for effect in effects))
    assert len(effects) == 3
    assert len(patterns) == 8


def test_the_frame_itself_is_not_changed():
    image, coverage = plain(SIZE), whole(SIZE)
    TrainTransform(**OFF | ON)(image, np.float32([[1, 2]]), coverage, 0)
    assert (image == BACKGROUND).all()
    assert (coverage == VALID).all()


def test_dark_pictures_keep_their_signal():
    """Fluorescence has a mean of about 13: the objects must still stand out."""
    dark = np.full((64, 64, 3), 8, np.uint8)
    dark[20:40, 20:40] = 40
    transform = TrainTransform(**OFF | {"colour_probability": 1.0, "gamma_probability": 1.0})
    for seed in range(50):
        image = transform(dark, np.zeros((0, 2)), whole((64, 64)), seed)[0].astype(float)
        assert image[20:40, 20:40].mean() - image[:10].mean() > 10


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"crop_size_px": 0}, "crop_size_px"),
        ({"blur_probability": 1.5}, "blur_probability"),
        ({"crop_around_points": -0.1}, "crop_around_points"),
        ({"scale_range": (2.0, 1.0)}, "scale_range"),
        ({"scale_range": (0.0, 1.0)}, "scale_range"),
        ({"noise_std_range": (0.1, 1.2)}, "noise_std_range"),
        ({"defocus_radius_px": (0, 3)}, "defocus_radius_px"),
        ({"specular_max_spots": 0}, "specular_max_spots"),
        ({"specular_max_patches": -1}, "specular_max_patches"),
        ({"colour_strength": 2.0}, "colour_strength"),
    ],
)
def test_arguments_out_of_range(arguments, name):
    with pytest.raises(InputError, match=rf"data\.train_transform\.{name} must be"):
        TrainTransform(**arguments)


def test_lists_do_as_ranges():
    """YAML knows no tuples."""
    transform = TrainTransform(scale_range=[1, 2], gamma_range=[0.9, 1.1], defocus_radius_px=[1, 2])
    assert transform(plain(SIZE), np.zeros((0, 2)), whole(SIZE), 0)[0].shape == (256, 256, 3)


def test_albumentations_asks_nobody_for_its_newest_version():
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
