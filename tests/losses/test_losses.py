"""Losses against closed forms, degenerate identities and finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    corrected_target,
    crag_and_tail,
    exclusive_cross_entropy,
    expected_count_term,
    focal,
    hill_negative,
    hill_positive,
    mse,
    positive_unlabelled_risk,
    weighted_bce,
    where_labels_fall,
)
from carcinosis_loc.losses.base import mean_per_image, split

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


def maps(values, shape=(1, 1, 1, -1)):
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def logit(p):
    return math.log(p / (1 - p))


def official_hill(logits, labels, lam=1.5, margin=1.0, gamma=2.0):
    """The formula of Hill's authors for binary labels, cell by cell and in plain Python."""
    out = []
    for z, y in zip(logits.flatten().tolist(), labels.flatten().tolist(), strict=True):
        p, p_m = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(margin - z))
        out.append((1 - p_m) ** gamma * -math.log(p_m) if y == 1 else (lam - p) * p**2)
    return torch.tensor(out, dtype=torch.float64).reshape(logits.shape)


@pytest.mark.parametrize(
    ("loss", "p", "h", "expected"),
    [
        (mse, 0.2, 1.0, 0.64),
        (mse, 0.7, 0.0, 0.49),
        (weighted_bce, 0.5, 1.0, 7 * math.log(2)),
        (weighted_bce, 0.5, 0.0, math.log(2)),
        (weighted_bce, 0.25, 0.5, -4 * 0.5 * (math.log(0.25) + math.log(0.75))),
        (crag_and_tail, 0.5, 0.0, (1.5 - 0.5) * 0.25),
        (crag_and_tail, 0.9, 0.0, (1.5 - 0.9) * 0.81),
    ],
)
def test_closed_form_value(loss, p, h, expected):
    assert loss(maps([logit(p)]), maps([h])).item() == pytest.approx(expected, rel=1e-12)


def test_crag_and_tail_at_a_label():
    z = 0.3
    p, p_m = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(1 - z))
    expected = (1 - p_m) ** 2 * -math.log(p_m) + (1 - p) ** 2
    assert crag_and_tail(maps([z]), maps([1.0])).item() == pytest.approx(expected, rel=1e-12)


def test_crag_and_tail_at_a_soft_target():
    z, h = -0.4, 0.6
    p, p_m = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(1 - z))
    expected = h * ((1 - p_m) ** 2 * -math.log(p_m) + (h - p) ** 2) + (1 - h) * (1.5 - p) * p**2
    assert crag_and_tail(maps([z]), maps([h])).item() == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_hill_is_the_official_form_on_binary_targets(cells):
    z, y = maps([c[0] for c in cells]), maps([float(c[1]) for c in cells])
    for threshold in (None, 0.5, 1.0):
        ours = Hill(positive_threshold=threshold).cells(z, y)
        assert torch.allclose(ours, official_hill(z, y), rtol=1e-9, atol=1e-12)


def test_degenerate_identities():
    torch.manual_seed(0)
    z, h = torch.randn(2, 1, 5, 7, dtype=torch.float64), torch.rand(2, 1, 5, 7, dtype=torch.float64)
    ones, zeros = torch.ones_like(h), torch.zeros_like(h)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    # no reinforcement: Hill
    assert torch.equal(CragAndTail(reinforcement=0)(z, h), Hill()(z, h))
    # no margin, no focus, everything labelled: cross-entropy
    assert torch.allclose(Hill(margin=0, gamma=0)(z, ones), bce(z, ones))
    # no weight: cross-entropy with soft targets
    assert torch.allclose(WeightedBCE(0)(z, h), bce(z, h))
    # nothing labelled: the tail alone, whatever the crag
    assert torch.allclose(CragAndTail(gamma=5, margin=3, reinforcement=9)(z, zeros), hill_negative(z).mean())
    # everything labelled at 1: reinforcement adds MSE
    assert torch.allclose(CragAndTail()(z, ones), hill_positive(z).mean() + HeatmapMSE()(z, ones))
    # with lambda 1 + p the tail would be p^2: MSE against zero
    p = z.sigmoid()
    assert torch.allclose(hill_negative(z, lam=1.0) + p**3, mse(z, zeros))


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize(
    ("loss", "gradient"),
    [
        (CragAndTail(), lambda p: 3 * p**2 * (1 - p) ** 2),
        (CragAndTail(lam=1.0), lambda p: p**2 * (1 - p) * (2 - 3 * p)),
        (Hill(), lambda p: 3 * p**2 * (1 - p) ** 2),
        (HeatmapMSE(), lambda p: 2 * p**2 * (1 - p)),
        (WeightedBCE(), lambda p: p),
    ],
)
def test_gradient_on_an_unlabelled_cell(loss, gradient, p):
    z = maps([logit(p)]).requires_grad_()
    loss(z, torch.zeros_like(z)).backward()
    assert z.grad.item() == pytest.approx(gradient(p), rel=1e-9)


def test_the_table_of_gradients_in_the_docs():
    """Hill pushes low clutter harder than MSE and confident places far less: the ratio is 1.5 (1 - p)."""
    for p in (0.05, 0.3, 0.9):
        hill, squared = 3 * p**2 * (1 - p) ** 2, 2 * p**2 * (1 - p)
        assert hill / squared == pytest.approx(1.5 * (1 - p))


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


def test_split():
    h = maps([0.0, 0.3, 0.6, 1.0])
    soft = split(h, None, 4)
    assert soft[0].flatten().tolist() == [0, 0.3, 0.6, 1]
    assert soft[1].flatten().tolist() == pytest.approx([1, 0.7, 0.4, 0])
    hard = split(h, 0.5, 2)
    assert hard[0].flatten().tolist() == [0, 0, 1, 1]
    assert hard[1].flatten().tolist() == pytest.approx([1, 0.49, 0, 0])


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
