"""What every loss must do: masks, precision, gradients, finite values, and its arguments."""

import pytest
import torch
from maps import maps

from carcinosis_loc.losses import (
    CragAndTail,
    ExclusiveCrossEntropy,
    Focal,
    GEBinomial,
    HeatmapMSE,
    Hill,
    NonNegativePU,
    PeakCorrection,
    PointProcess,
    WeightedBCE,
)
from carcinosis_loc.losses.base import mean_per_image

ALL = [
    HeatmapMSE(),
    Hill(),
    CragAndTail(),
    WeightedBCE(),
    CragAndTail(positive_threshold=0.5),
    Hill(positive_threshold=1),
    Focal(),
    ExclusiveCrossEntropy(),
    NonNegativePU(2.0),
    GEBinomial(),
    PeakCorrection(WeightedBCE()),
    PointProcess(),
]


@pytest.mark.parametrize(
    "loss", ALL, ids=lambda loss: f"{type(loss).__name__}-{getattr(loss, 'positive_threshold', 0)}"
)
class TestEveryLoss:
    def test_gradcheck(self, loss):
        torch.manual_seed(1)
        z = torch.randn(2, 1, 3, 4, dtype=torch.float64, requires_grad=True)
        h = torch.rand(2, 1, 3, 4, dtype=torch.float64)
        mask = torch.rand(2, 1, 3, 4) > 0.3
        assert torch.autograd.gradcheck(lambda logits: loss(logits, h, mask), (z,))

    def test_masked_cells_have_no_say(self, loss):
        torch.manual_seed(2)
        z, h = torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
        mask = torch.rand(2, 1, 4, 4) > 0.5
        other = torch.where(mask, z, torch.randn(2, 1, 4, 4))
        assert torch.equal(loss(z, h, mask), loss(other, h, mask))
        z.requires_grad_()
        loss(z, h, mask).backward()
        assert (z.grad[~mask] == 0).all()

    def test_a_batch_without_points_reaches_the_parameters(self, loss):
        z = torch.randn(2, 1, 4, 4, requires_grad=True)
        value = loss(z, torch.zeros(2, 1, 4, 4))
        value.backward()
        assert torch.isfinite(value)
        assert z.grad is not None
        assert (z.grad > 0).any()

    def test_a_batch_without_valid_cells_is_zero_and_attached(self, loss):
        z = torch.randn(1, 1, 4, 4, requires_grad=True)
        value = loss(z, torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool))
        value.backward()
        assert value.item() == 0
        assert (z.grad == 0).all()

    def test_extreme_bf16_logits_stay_finite(self, loss):
        z = torch.tensor([-1e4, -90.0, -1.0, 0.0, 1.0, 90.0, 1e4], dtype=torch.bfloat16).view(1, 1, 1, 7)
        for h in (0.0, 0.4, 1.0):
            logits = z.clone().requires_grad_()
            value = loss(logits, torch.full((1, 1, 1, 7), h))
            value.backward()
            assert torch.isfinite(value)
            assert torch.isfinite(logits.grad).all()
            assert value.dtype == torch.float32

    def test_one_batch_is_the_mean_of_its_images(self, loss):
        """So that two processes with uneven shares of points average to the same gradient."""
        torch.manual_seed(3)
        z, h = torch.randn(4, 1, 5, 5, dtype=torch.float64), torch.zeros(4, 1, 5, 5, dtype=torch.float64)
        h[0, 0, 2, 2] = 1  # all points on the first image
        halves = (loss(z[:2], h[:2]) + loss(z[2:], h[2:])) / 2
        assert torch.allclose(loss(z, h), halves)

    def test_shapes_that_differ_are_refused(self, loss):
        with pytest.raises(ValueError, match="shapes differ"):
            loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))
        with pytest.raises(ValueError, match="shapes differ"):
            loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 2, 4, dtype=torch.bool))

    def test_scale_is_a_factor(self, loss):
        z, h = torch.randn(1, 1, 4, 4), torch.rand(1, 1, 4, 4)
        before, loss.scale = loss(z, h), 7.0
        try:
            assert torch.allclose(loss(z, h), 7 * before)
        finally:
            loss.scale = 1.0


def test_mean_per_image_weighs_images_alike():
    cells = maps([1.0, 1, 1, 1, 5, 0, 0, 0], (2, 1, 1, 4))
    mask = torch.tensor([1, 1, 1, 1, 1, 0, 0, 0], dtype=torch.bool).view(2, 1, 1, 4)
    assert mean_per_image(cells, mask).item() == 3.0  # (1 + 5) / 2, though the second has one valid cell


@pytest.mark.parametrize(
    "build",
    [
        lambda: Hill(lam=-1),
        lambda: Hill(gamma=-1),
        lambda: Hill(positive_threshold=0),
        lambda: CragAndTail(reinforcement=-1),
        lambda: WeightedBCE(-1),
        lambda: Focal(gamma=-1),
        lambda: ExclusiveCrossEntropy(exclude_above=0),
        lambda: NonNegativePU(0.5),
        lambda: GEBinomial(least_cells=0),
        lambda: PeakCorrection(HeatmapMSE(), confidence=1),
        lambda: PointProcess(anchor=0),
    ],
)
def test_arguments_without_sense_are_refused(build):
    with pytest.raises(ValueError, match="must"):
        build()
