"""Crag and Tail, Hill and the plain losses: closed forms, identities, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import logit, maps

from carcinosis_loc.losses import (
    CragAndTail,
    HeatmapMSE,
    Hill,
    WeightedBCE,
    crag_and_tail,
    hill_negative,
    hill_positive,
    mse,
    weighted_bce,
)
from carcinosis_loc.losses.base import split


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


def test_split():
    h = maps([0.0, 0.3, 0.6, 1.0])
    soft = split(h, None, 4)
    assert soft[0].flatten().tolist() == [0, 0.3, 0.6, 1]
    assert soft[1].flatten().tolist() == pytest.approx([1, 0.7, 0.4, 0])
    hard = split(h, 0.5, 2)
    assert hard[0].flatten().tolist() == [0, 0, 1, 1]
    assert hard[1].flatten().tolist() == pytest.approx([1, 0.49, 0, 0])
