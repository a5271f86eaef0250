from pathlib import Path

import numpy as np
import pytest
import torch

from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.dataset import Sample
from carcinosis_loc.data.view import View
from carcinosis_loc.points import Frame, Letterbox


def sample(xy, size=(4, 6), exhaustive=None, dummy=False, view=None):
    image = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(*size, 3)
    frame = Frame(1, "a.png", Path("a.png"), size, exhaustive=exhaustive)
    points = np.float32(xy).reshape(-1, 2)
    return Sample(image, image[..., 0] > 9, points, frame, Letterbox.fit(size, None), view, dummy)


def test_a_batch_holds_what_its_samples_hold():
    samples = [sample([[1, 2], [3, 4]], exhaustive=True), sample([]), sample([[5, 6]], exhaustive=False)]
    batch = collate(samples)
    assert batch.image.shape == (3, 3, 4, 6)
    assert batch.image.dtype == torch.uint8
    assert batch.image.is_contiguous()
    assert batch.image[0, 2, 1, 3] == samples[0].image[1, 3, 2]
    assert batch.valid.shape == (3, 1, 4, 6)
    assert batch.valid.dtype == torch.bool
    assert batch.points.tolist() == [[[1, 2], [3, 4]], [[0, 0], [0, 0]], [[5, 6], [0, 0]]]
    assert batch.labelled.tolist() == [[True, True], [False, False], [True, False]]
    assert batch.exhaustive.tolist() == [True, False, False]
    assert len(batch.frames) == len(batch.letterboxes) == 3
    assert not batch.dummy


def test_a_batch_without_a_point():
    batch = collate([sample([]), sample([])])
    assert batch.points.shape == (2, 0, 2)
    assert batch.labelled.shape == (2, 0)


def test_only_augmented_samples_have_views():
    view = View((4, 6), False, True, False, 1.0, (0, 0), (4, 6))
    assert collate([sample([])]).views == []
    assert collate([sample([], view=view), sample([], view=view)]).views == [view, view]


def test_a_dummy_batch():
    assert collate([sample([], dummy=True)]).dummy


def test_images_of_two_sizes():
    with pytest.raises(ValueError, match="images of one size"):
        collate([sample([]), sample([], size=(5, 6))])
