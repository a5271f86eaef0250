"""PointF1 against its definitions, and its habits as a torchmetrics metric."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_matching import RADII, SCORES, best_matching, counts_at, frame_of, frames, peaks_at, peaks_of

from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import PointF1
from carcinosis_loc.points import Peaks

SETS = st.lists(st.tuples(peaks_of(), frames()), min_size=1, max_size=3)


def scored(pairs, radius=2.0, threshold=0.5, extra=()):
    """A metric that has counted (peaks, frame) pairs, one at a time."""
    metric = PointF1(radius, threshold, extra)
    for peaks, frame in pairs:
        metric.update([peaks], [frame])
    return metric


def values_of(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns where nothing was counted; ours is defined there
        return {name: value.item() for name, value in metric.compute().items()}


def hand_made():
    """Frames: one with 3 points, one empty with a false peak, one empty and left so, one missed."""
    return [
        (peaks_at((0, 3, 0.9), (50, 50, 0.8), (10, 4, 0.5), (20, 0, 0.2)), frame_of([(0, 0), (10, 0), (20, 0)])),
        (peaks_at((9, 9, 0.6)), frame_of()),
        (Peaks.none(), frame_of()),
        (Peaks.none(), frame_of([(1, 1)])),
    ]


def test_all_figures_by_hand():
    values = values_of(scored(hand_made(), radius=5.0, threshold=0.5, extra=(3.5, 1)))
    assert values == {
        "f1": 2 * 2 / (4 + 4),
        "precision": 2 / 4,
        "recall": 2 / 4,
        "best_f1": 2 * 3 / (5 + 4),
        "best_threshold": pytest.approx(0.2, abs=1e-3),
        "average_precision": pytest.approx(1 / 4 * 1 + 1 / 4 * 2 / 4 + 1 / 4 * 3 / 5),
        "f1_image_mean": pytest.approx((2 / 3 + 0 + 0) / 3, abs=1e-9),
        "empty_frame_false_positive_rate": 1 / 2,
        "localisation_error_px": 3.5,
        "count_mae": (0 + 1 + 0 + 1) / 4,
        "count_bias": 0.0,
        "n_images": 4,
        "n_points": 4,
        "n_predicted": 4,
        "f1@3.5px": 2 * 1 / 8,
        "f1@1px": 0.0,
    }


def test_values_are_scalars_on_the_metric_s_device():
    for value in scored(hand_made()).compute().values():
        assert (value.shape, value.dtype, value.device.type) == ((), torch.float64, "cpu")


def test_the_curve_by_hand():
    curve = scored(hand_made(), radius=5.0).curve
    assert curve.thresholds == pytest.approx([0.9, 0.8, 0.6, 0.5, 0.2], abs=2e-3)
    assert curve.precision.tolist() == [1, 1 / 2, 1 / 3, 2 / 4, 3 / 5]
    assert curve.recall.tolist() == [1 / 4, 1 / 4, 1 / 4, 2 / 4, 3 / 4]
    assert curve.f1.tolist() == [2 / 5, 2 / 6, 2 / 7, 4 / 8, 6 / 9]


def test_the_curve_follows_updates_and_reset():
    metric = scored(hand_made()[:1], radius=5.0)
    assert len(metric.curve.thresholds) == 4
    metric.update(*map(list, zip(*hand_made()[1:], strict=True)))
    assert len(metric.curve.thresholds) == 5
    metric.reset()
    metric.update([], [])
    assert len(metric.curve.thresholds) == 0


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(Peaks.none(), frame_of())],
        [(peaks_at((1, 1, 0.9)), frame_of())],
        [(Peaks.none(), frame_of([(1, 1)]))],
        [(peaks_at((1, 1, 0.9)), frame_of([(30, 30)]))],
    ],
    ids=["no frame", "blank", "no points", "no peaks", "all wrong"],
)
def test_empty_cases_are_zero_and_never_nan(pairs):
    values = values_of(scored(pairs, extra=(4.0,)))
    assert all(math.isfinite(value) for value in values.values())
    zeros = ("f1", "precision", "recall", "best_f1", "average_precision", "f1_image_mean", "f1@4px")
    assert [values[name] for name in zeros] == [0.0] * len(zeros)
    assert values["localisation_error_px"] == 0
    assert values["best_threshold"] == 0.5  # none is better than another


def test_blank_frames_do_not_raise_the_mean_over_images():
    right = (peaks_at((1, 1, 0.9)), frame_of([(1, 1)]))
    assert values_of(scored([right, (Peaks.none(), frame_of())]))["f1_image_mean"] == 1
    assert values_of(scored([right, (peaks_at((1, 1, 0.9)), frame_of())]))["f1_image_mean"] == 0.5


@settings(max_examples=60, deadline=None)
@given(SETS, st.sampled_from(RADII), st.sampled_from([*SCORES, 0.4]), st.sampled_from(RADII))
def test_all_figures_are_their_definitions(pairs, radius, threshold, extra):
    values = values_of(scored(pairs, radius, threshold, (extra,)))

    def pooled(at, radius_px=radius):
        counts = [counts_at(peaks, frame, radius_px, at) for peaks, frame in pairs]
        return sum(tp for tp, _ in counts), sum(predicted for _, predicted in counts)

    n_points = sum(len(frame.points) for _, frame in pairs)
    steps = [pooled(at) for at in sorted(SCORES, reverse=True)]
    tp, predicted = pooled(threshold)
    assert values["f1"] == 2 * tp / max(1, predicted + n_points)
    assert values["precision"] == tp / max(1, predicted)
    assert values["recall"] == tp / max(1, n_points)
    assert values["best_f1"] == max(2 * t / max(1, p + n_points) for t, p in steps)
    earlier = [0, *(t for t, _ in steps)]
    area = sum((t - earlier[i]) / max(1, n_points) * t / max(1, p) for i, (t, p) in enumerate(steps))
    assert values["average_precision"] == pytest.approx(area)
    t, p = pooled(threshold, extra)
    assert values[f"f1@{extra:g}px"] == 2 * t / max(1, p + n_points)
    totals = [best_matching(peaks.above(threshold).xy, frame.points.xy, radius)[1] for peaks, frame in pairs]
    assert values["localisation_error_px"] == pytest.approx(sum(totals) / max(1, tp), abs=1e-5)
    errors = [counts_at(peaks, frame, radius, threshold)[1] - len(frame.points) for peaks, frame in pairs]
    assert values["count_mae"] == np.abs(errors).mean()
    assert values["count_bias"] == np.mean(errors)


def crowded(seed, n_frames=6):
    """Frames with 30 points and 50 peaks of arbitrary scores."""
    random = np.random.default_rng(seed)
    for _ in range(n_frames):
        xy = random.uniform(0, 60, (30, 2)).astype(np.float32)
        peaks = np.concatenate([xy[:25] + random.normal(0, 2, (25, 2)), random.uniform(0, 60, (25, 2))])
        good = np.concatenate([random.beta(4, 2, 25), random.beta(2, 4, 25)]).astype(np.float32)
        order = np.argsort(-good)
        yield Peaks(peaks[order], good[order]), frame_of(xy)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_threshold_gives_the_best_f1(seed):
    metric = scored(crowded(seed))
    best = values_of(metric)
    at_best = values_of(scored(crowded(seed), threshold=best["best_threshold"]))
    assert at_best["f1"] == best["best_f1"]
    grid = [values_of(scored(crowded(seed), threshold=t))["f1"] for t in np.linspace(0.05, 0.95, 7)]
    assert max(grid) <= best["best_f1"]
    index = len(metric.curve.thresholds) // 2
    there = values_of(scored(crowded(seed), threshold=float(metric.curve.thresholds[index])))
    assert there["f1"] == metric.curve.f1[index]
    assert there["recall"] == metric.curve.recall[index]
    assert (np.diff(metric.curve.recall) >= 0).all()


def test_a_threshold_inside_a_bin_may_be_the_best():
    """The two scores share a bin; only the threshold in use tells them apart."""
    peaks = peaks_at((1, 1, 0.5002), (30, 30, 0.5001))
    values = values_of(scored([(peaks, frame_of([(1, 1)]))], threshold=0.50015))
    assert (values["f1"], values["best_f1"], values["best_threshold"]) == (1, 1, 0.50015)
    assert values_of(scored([(peaks, frame_of([(1, 1)]))], threshold=0.4))["best_f1"] == 2 / 3


def test_batches_and_order_change_nothing():
    pairs = [*hand_made(), *crowded(0)]
    one_by_one, together = scored(pairs, extra=(4.0,)), PointF1(2.0, 0.5, (4.0,))
    together.update(*map(list, zip(*reversed(pairs), strict=True)))
    assert values_of(one_by_one) == values_of(together)


def test_the_threshold_can_be_set_before_frames_are_counted():
    metric = PointF1(5.0, 0.5)
    metric.threshold = 0.7
    assert metric.threshold == 0.7
    metric.update(*map(list, zip(*hand_made(), strict=True)))
    assert values_of(metric)["n_predicted"] == 2
    metric.threshold = 0.7  # no change
    with pytest.raises(RuntimeError, match="reset"):
        metric.threshold = 0.1
    metric.reset()
    metric.threshold = 0.1
    metric.update(*map(list, zip(*hand_made(), strict=True)))
    assert values_of(metric)["n_predicted"] == 5


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0.0, 0.5), "match_radius_px"),
        ((math.nan, 0.5), "match_radius_px"),
        ((5.0, 1.5), "threshold"),
        ((5.0, math.nan), "threshold"),
        ((5.0, 0.5, (4.0, -1.0)), "extra_radii_px"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(InputError, match=named):
        PointF1(*arguments)


def test_peaks_and_frames_must_pair_up():
    with pytest.raises(ValueError, match="zip"):
        PointF1(5.0, 0.5).update([Peaks.none()], [])


def test_states_are_summed_integers_and_kept_out_of_checkpoints():
    metric = scored(hand_made(), extra=(4.0,))
    assert metric.state_dict() == {}
    for name, reduction in metric._reductions.items():
        assert getattr(metric, name).dtype == torch.int64
        assert reduction is torch.sum or reduction.__name__ == "dim_zero_sum"
        assert getattr(metric, name).shape == metric._defaults[name].shape


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, lambda m: m.clone()])
def test_copies_go_on_by_themselves(copied):
    metric = scored(hand_made()[:2], extra=(4.0,))
    before = values_of(metric)
    other = copied(metric)
    assert values_of(other) == before
    for peaks, frame in hand_made()[2:]:
        other.update([peaks], [frame])
    assert values_of(other) == values_of(scored(hand_made(), extra=(4.0,)))
    assert values_of(metric) == before


def test_reset_empties_it():
    metric = scored(hand_made(), extra=(4.0,))
    metric.reset()
    assert values_of(metric) == values_of(PointF1(2.0, 0.5, (4.0,)))


def test_forward_gives_the_batch_and_counts_it():
    metric = PointF1(5.0, 0.5)
    for peaks, frame in hand_made():
        alone = metric([peaks], [frame])
        assert {k: v.item() for k, v in alone.items()} == values_of(scored([(peaks, frame)], 5.0))
    assert values_of(metric) == values_of(scored(hand_made(), 5.0))
    assert len(metric.curve.thresholds) == 5


def test_reset_in_inference_mode_does_not_tie_it_to_that_mode():
    metric = PointF1(5.0, 0.5)
    with torch.inference_mode():
        metric.reset()
        metric.update(*map(list, zip(*hand_made()[:2], strict=True)))
    metric.update(*map(list, zip(*hand_made()[2:], strict=True)))
    assert values_of(metric) == values_of(scored(hand_made(), 5.0))


@pytest.mark.gpu
def test_states_live_on_the_device():
    metric = PointF1(5.0, 0.5, (4.0,)).to("cuda")
    metric.update(*map(list, zip(*hand_made(), strict=True)))
    assert all(getattr(metric, name).is_cuda for name in metric._defaults)
    assert all(value.is_cuda for value in metric.compute().values())
    assert values_of(metric) == values_of(scored(hand_made(), 5.0, extra=(4.0,)))
