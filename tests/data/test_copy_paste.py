"""Copies of labelled objects: where they land, what they look like, what stays."""

import numpy as np
import pytest
from dots import BACKGROUND, draw_dot, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from carcinosis_loc.data import CopyPaste, TrainTransform
from carcinosis_loc.data.coverage import IGNORED, PADDING, VALID
from carcinosis_loc.errors import InputError

SIZE = (120, 160)
EXACT = {"strength_range": (1, 1), "scale_range": (1, 1), "fade_probability": 0.0}


def frame(points):
    dots = [draw_dot(SIZE, point).astype(int) - plain(SIZE) for point in points]
    image = np.clip(plain(SIZE) + sum(dots), 0, 255).astype(np.uint8)
    return image, np.array(points, np.float32).reshape(-1, 2), np.full(SIZE, VALID, np.uint8)


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(3, 14))
@settings(max_examples=60, deadline=None)
def test_copies_keep_away_from_points_borders_and_what_is_not_valid(seed, count, radius_px):
    places = np.random.default_rng(seed).uniform((0, 0), (SIZE[1] - 1, SIZE[0] - 1), (count, 2))
    image, xy, coverage = frame(places)
    coverage[:, 100:110] = IGNORED
    coverage[:20] = PADDING
    before = image.copy()
    new, points = CopyPaste(radius_px, copies=12)(image, xy, coverage, seed)
    assert np.array_equal(image, before)
    assert np.array_equal(points[: len(xy)], xy)
    copies = points[len(xy) :]
    assert new.dtype == np.uint8
    assert points.dtype == np.float32
    if not len(copies):
        return
    assert (copies >= radius_px).all()
    assert (copies <= np.array(SIZE[::-1]) - 1 - radius_px).all()
    apart = cdist(copies, points)
    apart[np.arange(len(copies)), len(xy) + np.arange(len(copies))] = np.inf
    assert apart.min() >= radius_px
    touched = (new != before).any(-1)
    assert not touched[coverage == IGNORED].any() or count  # a faded label may lie there; a copy never
    outside = (copies[:, 0] + radius_px >= 100) & (copies[:, 0] - radius_px < 110)
    assert not outside.any()
    assert (copies[:, 1] - radius_px >= 20).all()


def test_a_copy_is_the_object_on_its_new_ground():
    image, xy, coverage = frame([(40, 60)])
    image[:, 80:] += 30  # the right half is lighter
    new, points = CopyPaste(radius_px=9, copies=8, **EXACT)(image, xy, coverage, 3)
    assert len(points) > 3
    height = image[60, 40].astype(int) - np.array(BACKGROUND)
    assert abs(height).max() > 20
    for x, y in points[1:].astype(int):
        ground = np.array(BACKGROUND) + (30 if x >= 80 else 0)
        if abs(x - 79.5) > 10:  # not across the step
            assert abs(new[y, x].astype(int) - ground - height).max() <= 3


def test_a_smaller_copy_brings_no_surroundings_along():
    """The source stands in a ring of another colour; half its size, the copy's disc ends before the ring would."""
    image, xy, coverage = frame([(40, 60)])
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot(rows - 60, columns - 40)
    image[(distance > 11) & (distance < 18)] = (0, 255, 0)
    options = EXACT | {"scale_range": (0.5, 0.5)}
    new, points = CopyPaste(radius_px=9, copies=8, **options)(image, xy, coverage, 3)
    assert len(points) > 3
    far = distance > 30
    assert new[far][:, 1].max() < 255
    assert (new[far] != image[far]).any()
    for x, y in points[1:]:
        changed = (new != image).any(-1) & (np.hypot(rows - y, columns - x) <= 9)
        assert np.hypot(rows[changed] - y, columns[changed] - x).max() <= 4.5


def test_no_copy_is_taken_from_where_padding_reaches_in():
    image, xy, coverage = frame([(80, 60)])
    coverage[:46], image[:46] = PADDING, 0
    for seed in range(20):
        new, points = CopyPaste(12, copies=10, strength_range=(1, 1), fade_probability=0.0)(image, xy, coverage, seed)
        assert len(points) == 1
        assert np.array_equal(new, image)
    coverage[:] = VALID
    assert len(CopyPaste(12, copies=10)(image, xy, coverage, 0)[1]) > 1


def test_fading_lowers_the_contrast_of_a_label_and_adds_none():
    image, xy, coverage = frame([(40, 60), (100, 50)])
    new, points = CopyPaste(9, copies=0, fade_probability=1.0, fade_range=(0.5, 0.5))(image, xy, coverage, 0)
    assert np.array_equal(points, xy)
    for x, y in xy.astype(int):
        before = abs(image[y, x].astype(int) - np.array(BACKGROUND))
        assert abs(abs(new[y, x].astype(int) - np.array(BACKGROUND)) - before / 2).max() <= 1


def test_without_labels_or_without_work_nothing_changes():
    image, none, coverage = frame([])
    new, points = CopyPaste(copies=20)(image, none, coverage, 0)
    assert np.array_equal(new, image)
    assert points.shape == (0, 2)
    image, xy, coverage = frame([(40, 60)])
    new, points = CopyPaste(copies=0, fade_probability=0)(image, xy, coverage, 0)
    assert np.array_equal(new, image)
    assert np.array_equal(points, xy)


def test_the_same_seed_gives_the_same_frame_through_the_whole_transform():
    image, xy, coverage = frame([(40, 60), (100, 50)])
    transform = TrainTransform(crop_size_px=96, copy_paste=CopyPaste(8, copies=10))
    first, again, other = (transform(image, xy, coverage, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    plainly = TrainTransform(crop_size_px=96)(image, xy, coverage, 5)
    assert len(first[1]) > len(plainly[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("radius_px", 1),
        ("copies", -1),
        ("strength_range", (0.5, 2)),
        ("strength_range", (0.9, 0.1)),
        ("scale_range", (0, 1)),
        ("fade_probability", float("nan")),
    ],
)
def test_arguments_without_sense_are_refused(name, value):
    with pytest.raises(InputError, match=f"copy_paste.{name} must be"):
        CopyPaste(**{name: value})
