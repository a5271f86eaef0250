"""Losses made for labels that are not all: identities and small cases."""

import math

import pytest
import torch
from maps import logit, maps

from carcinosis_loc.losses import (
    HeatmapMSE,
    PeakCorrection,
    WeightedBCE,
    corrected_target,
    exclusive_cross_entropy,
    expected_count_term,
    focal,
    positive_unlabelled_risk,
    weighted_bce,
    where_labels_fall,
)


class TestIdentitiesOfTheOthers:
    """Each of the comparison losses falls back to one that is known."""

    @pytest.fixture
    def some(self):
        torch.manual_seed(4)
        return torch.randn(2, 1, 5, 7, dtype=torch.float64), torch.rand(2, 1, 5, 7, dtype=torch.float64)

    def test_focal_without_focus_is_cross_entropy(self, some):
        assert torch.allclose(focal(*some, gamma=0, ring_power=1), weighted_bce(*some, 0))

    def test_exclusive_that_excludes_nothing_is_weighted_cross_entropy(self, some):
        assert torch.allclose(exclusive_cross_entropy(*some, exclude_above=1), weighted_bce(*some))

    def test_exclusive_leaves_a_confident_unlabelled_cell_alone(self):
        z = maps([logit(0.6), logit(0.4)]).requires_grad_()
        exclusive_cross_entropy(z, torch.zeros_like(z)).sum().backward()
        assert z.grad.flatten().tolist() == pytest.approx([0, 0.4])

    def test_pu_risk_with_one_object_a_label_is_cross_entropy(self, some):
        assert torch.allclose(positive_unlabelled_risk(*some, objects_per_label=1), WeightedBCE(0)(*some))

    def test_pu_risk_never_pays_for_more_objects_than_there_are_cells(self):
        z, h = maps([3.0, -3.0]), maps([1.0, 0.0])
        only_up = 5 * -math.log(1 / (1 + math.exp(-3))) / 2
        assert positive_unlabelled_risk(z, h, objects_per_label=5).item() == pytest.approx(only_up)

    def test_correction_of_nothing_is_the_loss_itself(self, some):
        z = some[0].clamp(max=-1)
        assert torch.equal(PeakCorrection(HeatmapMSE(), confidence=0.5)(z, some[1]), HeatmapMSE()(z, some[1]))


def test_a_confident_peak_becomes_a_gaussian():
    z, h = torch.full((1, 1, 9, 9), -4.0), torch.zeros(1, 1, 9, 9)
    z[0, 0, 4, 3] = 2.0
    z[0, 0, 4, 4] = 1.9  # above the confidence too, but no peak
    z[0, 0, 0, 8] = 0.1  # a peak below the confidence
    corrected = corrected_target(z, h, None, 0.6, 1.5)
    y, x = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    expected = torch.exp(-((x - 3) ** 2 + (y - 4) ** 2) / (2 * 1.5**2))
    near = (x - 3).abs().maximum((y - 4).abs()) <= 5
    assert torch.allclose(corrected[0, 0][near], expected[near], atol=1e-6)
    h[0, 0, 4, 2] = 1.0
    h[0, 0, 4, 3] = 0.8  # a label is there already
    assert torch.equal(corrected_target(z, h, None, 0.6, 1.5), h)


def test_the_count_term_is_least_at_the_expected_count():
    """On equal cells of a large map: the network that predicts the right number pays least."""

    def term(p):
        return expected_count_term(torch.full((1, 1, 20, 20), logit(p)), torch.tensor([40.0])).item()

    assert term(0.1) < min(term(0.05), term(0.2))
    below = torch.full((1, 1, 20, 20), logit(0.05)).requires_grad_()
    expected_count_term(below, torch.tensor([40.0])).sum().backward()
    assert (below.grad < 0).all()


def test_the_count_term_in_plain_python():
    p, n, expected = 0.3, 6, 2.0
    mean, variance = n * p, n * p * (1 - p)
    q = [math.exp(-((k - mean) ** 2) / (2 * variance)) for k in range(n + 1)]
    log_binomial = [
        math.log(math.comb(n, k) * (expected / n) ** k * (1 - expected / n) ** (n - k)) for k in range(n + 1)
    ]
    by_hand = -sum(w * value for w, value in zip(q, log_binomial, strict=True)) / sum(q) / n
    z = torch.full((1, 1, 2, 4), logit(p), dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0]], dtype=torch.bool).view(1, 1, 2, 4)
    assert expected_count_term(z, torch.tensor([expected]), mask).item() == pytest.approx(by_hand)


class TestWhereLabelsFall:
    def test_in_plain_python(self):
        z, h = [0.3, -1.0, 2.0, 0.5], [1.0, 0.0, 0.5, 0.0]
        total = math.log(sum(math.exp(v) for v in z[:3]))
        by_hand = total - (1.0 * 0.3 + 0.5 * 2.0) / 1.5
        mask = torch.tensor([1, 1, 1, 0], dtype=torch.bool).view(1, 1, 1, 4)
        assert where_labels_fall(maps(z), maps(h), mask).item() == pytest.approx(by_hand)

    def test_one_label_on_one_cell_is_cross_entropy_over_cells(self):
        torch.manual_seed(5)
        z = torch.randn(3, 1, 4, 5, dtype=torch.float64)
        cells = torch.tensor([0, 7, 19])
        h = torch.nn.functional.one_hot(cells, 20).double().view(3, 1, 4, 5)
        expected = torch.nn.functional.cross_entropy(z.flatten(1), cells, reduction="none")
        assert torch.allclose(where_labels_fall(z, h), expected)

    def test_the_share_that_is_labelled_does_not_matter(self):
        """Three equal objects, one or all of them labelled: the same logits are best."""
        for h in ([1.0, 0, 0, 0, 0], [1.0, 1, 1, 0, 0]):
            objects = maps([3.0, 3.0, 3.0, -3.0, -3.0]).requires_grad_()
            where_labels_fall(objects, maps(h)).backward()
            pull_on_objects = objects.grad.flatten()[:3].sum().item()
            assert pull_on_objects == pytest.approx(-2 * math.exp(-3) / (3 * math.exp(3) + 2 * math.exp(-3)))

    def test_a_level_added_to_a_frame_changes_nothing(self):
        torch.manual_seed(6)
        z, h = torch.randn(2, 1, 4, 4, dtype=torch.float64), torch.rand(2, 1, 4, 4, dtype=torch.float64)
        shift = torch.tensor([5.0, -2.0], dtype=torch.float64).view(2, 1, 1, 1)
        assert torch.allclose(where_labels_fall(z, h), where_labels_fall(z + shift, h))
