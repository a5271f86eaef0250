"""What a teacher adds must land where its pixels are, and never speak against a label."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.data.additions import Additions, with_additions
from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.coverage import VALID, coverage_map
from carcinosis_loc.data.dataset import Sample
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.points import Frame, Letterbox, Points

SIZE = (90, 120)
RADIUS_PX = 6.0
EFFECTS_OFF = {
    f"{name}_probability": 0.0 for name in ("colour", "gamma", "noise", "blur", "defocus", "specular", "smoke")
}


def points(*xy):
    return np.float32(xy).reshape(-1, 2)


def frame(labels=(), exhaustive=False, image_id=7):
    return Frame(image_id, "a.png", Path("a.png"), SIZE, Points(points(*labels)), exhaustive=exhaustive)


def whole(labels=(), exhaustive=False, canvas=None, image_id=7):
    """A frame as it is."""
    known, box = frame(labels, exhaustive, image_id), Letterbox.fit(SIZE, canvas)
    size = canvas or SIZE
    valid = coverage_map(box) == VALID
    return Sample(np.zeros((*size, 3), np.uint8), valid, box.to_network(known.points.xy), known, box)


def taught(samples, sure=(), unsure=(), image_id=7):
    batch = collate(samples)
    return batch, with_additions(batch, {image_id: Additions(points(*sure), points(*unsure))}, RADIUS_PX)


def labels_of(batch, row=0):
    return batch.points[row][batch.labelled[row]].numpy()


@given(st.integers(0, 10_000), st.floats(10, 110), st.floats(10, 80))
@settings(max_examples=60, deadline=None)
def test_a_sure_place_goes_with_its_pixels(seed, x, y):
    """A drawn disc is labelled at the middle of where it went."""
    grid_y, grid_x = np.mgrid[: SIZE[0], : SIZE[1]]
    disc = np.clip(5.5 - np.hypot(grid_x - x, grid_y - y), 0, 1)
    image = np.repeat((disc * 255).astype(np.uint8)[..., None], 3, axis=2)
    transform = TrainTransform(crop_size_px=64, scale_range=(0.8, 1.25), crop_around_points=0, **EFFECTS_OFF)
    seen = transform(image, points(), coverage_map(Letterbox.fit(SIZE, None)), seed)
    sample = Sample(seen.image, seen.coverage == VALID, seen.xy, frame(), Letterbox.fit(SIZE, None), seen.view)
    _, batch = taught([sample], sure=[(x, y)])
    found = labels_of(batch)
    mass = seen.image[..., 0].astype(float)
    if len(found) and (found >= 8).all() and (found <= 55).all():  # the whole disc is on the window
        rows, columns = np.mgrid[:64, :64]
        centre = np.array([(columns * mass).sum(), (rows * mass).sum()]) / mass.sum()
        assert found[0] == pytest.approx(centre, abs=0.35)
    if not len(found):
        assert mass[8:-8, 8:-8].sum() < 0.6 * (disc * 255).sum()


def test_labels_come_first_and_others_follow():
    batch, new = taught([whole([(20, 20)]), whole([(50, 50), (90, 40)], image_id=8)], sure=[(60, 60), (100, 30)])
    assert labels_of(new).tolist() == [[20, 20], [60, 60], [100, 30]]
    assert labels_of(new, 1).tolist() == [[50, 50], [90, 40]]  # nothing is known of this one
    assert labels_of(batch).tolist() == [[20, 20]]  # the batch that came in is as it was
    assert torch.equal(new.valid, batch.valid)


def test_what_lies_at_a_label_or_off_the_frame_is_dropped():
    _, new = taught([whole([(20, 20)])], sure=[(20, 25.9), (20, 26.1), (-3, 5), (119.6, 5), (119.4, 5)])
    assert labels_of(new) == pytest.approx(points((20, 20), (20, 26.1), (119.4, 5)))


def test_discs_around_the_unsure_are_not_valid_but_for_the_labels_own():
    _, new = taught([whole([(20, 20)])], unsure=[(60, 60), (30, 20)])
    valid = new.valid[0, 0].numpy()
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    to = {name: np.hypot(x - at[0], y - at[1]) for name, at in {"far": (60, 60), "near": (30, 20)}.items()}
    label = np.hypot(x - 20, y - 20)
    reach = 1.3 * RADIUS_PX
    assert not valid[(to["far"] < reach - 1)].any()
    assert not valid[(to["near"] < reach - 1) & (label > RADIUS_PX + 1)].any()
    assert valid[label < RADIUS_PX - 1].all()
    assert valid[(to["far"] > reach + 1) & (to["near"] > reach + 1)].all()
    assert labels_of(new).tolist() == [[20, 20]]


def test_an_exhaustive_frame_stays_as_it_is():
    batch, new = taught([whole([(20, 20)], exhaustive=True)], sure=[(60, 60)], unsure=[(90, 40)])
    assert torch.equal(new.valid, batch.valid)
    assert labels_of(new).tolist() == [[20, 20]]


def test_padding_stays_invalid_and_lengths_scale_with_the_letterbox():
    canvas = (180, 260)  # the frame is doubled, and padded left and right
    batch, new = taught([whole([], canvas=canvas)], sure=[(60, 40)], unsure=[(30, 20)])
    box = batch.letterboxes[0]
    assert labels_of(new) == pytest.approx(box.to_network(points((60, 40))))
    assert not new.valid[batch.valid == 0].any()
    lost = (batch.valid & ~new.valid)[0, 0].numpy()
    assert np.count_nonzero(lost) == pytest.approx(np.pi * (2 * 1.3 * RADIUS_PX) ** 2, rel=0.08)


def test_a_batch_without_any_point():
    _, new = taught([whole()], image_id=99)
    assert new.points.shape == (1, 0, 2)
    assert new.labelled.shape == (1, 0)
