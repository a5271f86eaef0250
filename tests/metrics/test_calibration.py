"""Thresholds and probabilities, on scores whose truth is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from slow_matching import frame_of

from carcinosis_loc.metrics import Calibration, PointF1, SparsePointMetrics, calibrate
from carcinosis_loc.metrics.calibration import _Implied, _rule
from carcinosis_loc.metrics.curves import SCORE_EDGES, score_histogram
from carcinosis_loc.metrics.labelled_frames import LabelledFrames, rows_of
from carcinosis_loc.metrics.probability import (
    ScoreScale,
    _Thinned,
    fitted_scale,
    implied_f1,
    scale_by_labels,
    scale_through,
)
from carcinosis_loc.points import Peaks

RADIUS_PX = 2.0


def detections(random, objects_at, background_at, chance=None, n_frames=40, n_objects=30, n_background=60):
    """Peaks on a grid, far apart: objects with labels by ``chance`` (of the score), and background."""
    pairs = []
    for _ in range(n_frames):
        scores = np.concatenate([random.normal(objects_at, 0.8, n_objects), random.normal(background_at, 0.6, 60)])
        grid = np.stack(np.meshgrid(np.arange(10), np.arange(9)), -1).reshape(-1, 2) * 20.0
        labelled = random.random(n_objects) < (1 if chance is None else chance(expit(scores[:n_objects])))
        order = np.argsort(-scores)
        peaks = Peaks(grid[order].astype(np.float32), expit(scores[order]).astype(np.float32))
        pairs.append((peaks, frame_of(grid[:n_objects][labelled], size=(200, 220))))
    return pairs


def counted(dense=(), sparse=()):
    metrics = PointF1(RADIUS_PX, 0.5), SparsePointMetrics(RADIUS_PX, 0.5)
    for metric, pairs in zip(metrics, (dense, sparse), strict=True):
        metric.update([peaks for peaks, _ in pairs], [frame for _, frame in pairs])
    return metrics


def random():
    return np.random.default_rng(0)


def a_fifth(scores):
    return np.full(len(scores), 0.2)


def the_conspicuous(scores):
    return (logit(scores) > 1.8).astype(float)


def test_exhaustive_frames_decide_where_there_are_any():
    pairs, others = detections(random(), 1.0, -4.0), detections(random(), 3.0, -1.0, a_fifth)
    dense, sparse = counted(pairs, others)
    chosen = calibrate(dense, sparse)
    assert (chosen.rule, chosen.n_images, chosen.n_points) == ("exhaustive", 40, 1200)
    assert chosen.threshold == dense.compute()["best_threshold"].item()
    assert "40 exhaustive frames (1200 points)" in str(chosen)


def by_halves(better, worse):
    return lambda scores: np.where(logit(scores) > 1.0, better, worse)


def test_a_clear_valley_decides_where_the_labels_lean():
    thresholds = []
    for rule, chance in (
        ("both", by_halves(0.25, 0.07)),
        ("valley", by_halves(0.25, 0.03)),
        ("valley", the_conspicuous),
    ):
        chosen = calibrate(*counted(sparse=detections(random(), 1.0, -4.0, chance)))
        assert chosen.rule == rule
        assert "valley" in str(chosen)
        assert chosen.scale.probability(chosen.threshold) == pytest.approx(0.4)
        thresholds.append(chosen.threshold)
    assert thresholds[0] > thresholds[1] > thresholds[2]  # labels on the conspicuous alone: faint objects lie low


def with_false_ones_between(pairs, random):
    """Some of the background scores nearly as high as the objects do."""
    for peaks, frame in pairs:
        raised = np.where(random.random(90) < 0.12, random.normal(-1.2, 0.5, 90), -9.0)
        scores = np.where(logit(peaks.scores) < -2.5, np.maximum(logit(peaks.scores), raised), logit(peaks.scores))
        order = np.argsort(-scores)
        yield Peaks(peaks.xy[order], expit(scores[order]).astype(np.float32)), frame


def test_false_peaks_above_the_valley_are_for_the_labels_to_see():
    def peaks(chance):
        return list(with_false_ones_between(detections(random(), 1.0, -4.5, chance), random()))

    dense, sparse = counted(dense=peaks(None), sparse=peaks(by_halves(0.25, 0.12)))
    dense.compute()
    chosen, figures = calibrate(PointF1(RADIUS_PX, 0.5), sparse), sparse.compute()
    assert chosen.rule == "both"

    def f1_at(threshold):
        return dense.curve.f1[np.searchsorted(-dense.curve.thresholds, -threshold) - 1]

    assert figures["valley_threshold"] < chosen.threshold < figures["valley_top"]
    assert f1_at(chosen.threshold) > f1_at(figures["valley_threshold"].item()) + 0.01


def slope(random, chance):
    """Objects whose scores reach from the background's to the top; labels by ``chance``."""
    pairs = []
    for peaks, _ in detections(random, 0.0, -5.0):
        scores = np.concatenate([random.uniform(-5, 3, 30), random.normal(-5, 0.6, 60)])
        order = np.argsort(np.argsort(-scores))  # peaks come in order of their scores: an object's place in it
        xy = peaks.xy[order[:30]][random.random(30) < chance(expit(scores[:30]))]
        pairs.append((Peaks(peaks.xy, expit(np.sort(scores)[::-1]).astype(np.float32)), frame_of(xy, size=(200, 220))))
    return pairs


def test_labels_on_the_conspicuous_alone_are_not_taken_at_face_value():
    chosen = calibrate(*counted(sparse=slope(random(), the_conspicuous)))
    assert chosen.rule == "knee"
    assert "conspicuous" in str(chosen)
    assert -4.7 < logit(chosen.threshold) < -2.5
    assert chosen.scale.probability(chosen.threshold) == pytest.approx(0.4)
    assert calibrate(*counted(sparse=slope(random(), a_fifth))).rule == "labels"


def test_labels_spread_evenly_above_a_valley_say_more_than_it():
    pairs = detections(random(), 1.0, -4.0, a_fifth)
    chosen = calibrate(*counted(sparse=pairs))
    assert chosen.rule == "labels"
    truth, _ = counted(dense=detections(random(), 1.0, -4.0))
    truth.compute()
    at = np.searchsorted(-truth.curve.thresholds, -chosen.threshold) - 1
    assert truth.curve.f1[at] > 0.99 * truth.curve.f1.max()


@pytest.mark.parametrize(
    ("depth", "lean", "rule"),
    [(0.58, 8.4, "labels"), (0.44, 31.0, "valley"), (0.1, 4.6, "valley"), (0.26, 3.0, "both")],
)
def test_what_networks_have_shown_of_valleys_and_labels(depth, lean, rule):
    """Random labels, the conspicuous, the conspicuous after teaching, random labels: figures of trained networks."""
    figures = {"valley_depth": depth, "labels_lean": lean, "knee_threshold": 1.0, "labels_median": 0.4}
    assert _rule(figures, _Implied(0.2, ScoreScale(1.0, 0.0), 0.16), labels_first=True) == rule
    assert _rule(figures, _Implied(0.2, ScoreScale(1.0, 0.0), 0.16), labels_first=False) == "valley"


def test_who_distrusts_labels_lets_a_clear_valley_decide():
    for chance, trusted in ((a_fifth, "labels"), (by_halves(0.25, 0.07), "both"), (the_conspicuous, "valley")):
        metrics = counted(sparse=detections(random(), 1.0, -4.0, chance))
        assert (calibrate(*metrics).rule, calibrate(*metrics, labels_first=False).rule) == (trusted, "valley")
    without_a_valley = counted(sparse=detections(random(), -1.5, -3.0, a_fifth))
    assert calibrate(*without_a_valley, labels_first=False) == calibrate(*without_a_valley)


def test_labels_decide_where_the_hills_overlap():
    pairs = detections(random(), -1.5, -3.0, a_fifth)
    chosen = calibrate(*counted(sparse=pairs))
    assert chosen.rule == "labels"
    assert "if labels are missing at random" in str(chosen)
    truth, _ = counted(dense=detections(random(), -1.5, -3.0))
    truth.compute()
    at = np.searchsorted(-truth.curve.thresholds, -chosen.threshold) - 1
    assert truth.curve.f1[at] > 0.97 * truth.curve.f1.max()


def test_probabilities_by_the_labels_are_those_by_the_truth():
    by_labels = calibrate(*counted(sparse=detections(random(), -1.2, -3.2, a_fifth, n_frames=200))).scale
    by_truth = calibrate(*counted(dense=detections(random(), -1.2, -3.2, n_frames=200))).scale
    scores = expit(np.linspace(-3, 0, 7))
    assert by_labels.probability(scores) == pytest.approx(by_truth.probability(scores), abs=0.13)


@pytest.mark.parametrize("n_labelled", [0, 1])
def test_next_to_no_labels_and_no_valley_give_nothing(n_labelled):
    pairs = detections(random(), -2.5, -3.0, lambda scores: np.zeros(len(scores)))
    if n_labelled:
        pairs[0] = (pairs[0][0], frame_of([pairs[0][0].xy[0]], size=(200, 220)))
    assert calibrate(*counted(sparse=pairs)) is None


def test_negative_frames_alone_give_nothing():
    negative = [(peaks, frame_of([], size=(200, 220))) for peaks, _ in detections(random(), 1.0, -4.0)]
    assert calibrate(*counted(dense=negative)) is None


def test_it_goes_through_plain_values():
    calibration = Calibration(0.25, "valley", 3, 30, ScoreScale(1.5, -0.25))
    assert Calibration.read(calibration.plain()) == calibration
    assert {type(value) for value in calibration.plain().values()} == {float, str, int, list}
    for wrong in ([1.0], "steep", [1.0, None]):
        with pytest.raises((TypeError, ValueError)):
            Calibration.read(calibration.plain() | {"scale": wrong})


@given(st.floats(0.3, 3), st.floats(-2, 4), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_a_logistic_curve_is_found_again(slope, offset, seed):
    draw = np.random.default_rng(seed)
    scores = expit(draw.uniform(-6, 6, 6000)).astype(np.float32)
    true = draw.random(6000) < expit(slope * logit(scores) + offset)
    scale = fitted_scale(
        score_histogram(scores, true).astype(float), score_histogram(scores, np.ones(len(scores), bool))
    )
    wanted = ScoreScale(slope, offset).probability(scores)
    assert scale.probability(scores) == pytest.approx(wanted, abs=0.08)


def test_labels_missing_at_random_give_the_curve_and_their_share():
    # Draws are fixed: of 1,500 the share was off by 3 % in the median, by 20 % in one of a hundred, by 31 % at worst.
    draw = np.random.default_rng(0)
    shares_off, curves_off = [], []
    for _ in range(40):
        slope, offset, share = draw.uniform((0.7, -1, 0.08), (2, 3, 0.4))
        scores = expit(draw.uniform(-6, 6, 8000)).astype(np.float32)
        labelled = draw.random(8000) < share * expit(slope * logit(scores) + offset)
        found, predicted = (score_histogram(scores, chosen) for chosen in (labelled, scores >= 0))
        scale, n_objects = scale_by_labels(LabelledFrames.pooled(found, predicted, int(labelled.sum())))
        shares_off.append(abs(labelled.sum() / n_objects / share - 1))
        curves_off.append(np.abs(scale.probability(scores) - ScoreScale(slope, offset).probability(scores)).mean())
    assert np.median(shares_off) < 0.04
    assert np.median(curves_off) < 0.02
    assert np.quantile(shares_off, 0.9) < 0.15
    assert np.quantile(curves_off, 0.9) < 0.06


def five_a_frame(draw, n_frames=400, slope=1.4, offset=0.5):
    """Five labels on each frame, of 5 to 100 objects; those of sparse frames are seen better and score higher."""
    for _ in range(n_frames):
        crowd = int(draw.integers(5, 101))
        x = draw.normal(1.5 - crowd / 50, 2.0, 4 * crowd)
        objects = np.flatnonzero(draw.random(len(x)) < expit(slope * x + offset))
        labelled = np.isin(np.arange(len(x)), draw.permutation(objects)[:5])
        yield expit(x).astype(np.float32), labelled, len(objects)


def labelled_frames(drawn):
    kept = [(score_histogram(scores, labelled), score_histogram(scores, scores >= 0)) for scores, labelled, _ in drawn]
    rows = [rows_of(found, predicted) for found, predicted in kept]
    sizes = [(len(row), labelled.sum()) for row, (_, labelled, _) in zip(rows, drawn, strict=True)]
    return LabelledFrames.read(np.array(sizes), np.concatenate(rows))


def test_a_fixed_number_on_sparse_and_crowded_frames_is_no_riddle():
    drawn = list(five_a_frame(np.random.default_rng(0)))
    n_objects, frames = sum(n for _, _, n in drawn), labelled_frames(drawn)
    scale, found_objects = scale_by_labels(frames)
    wanted = ScoreScale(1.4, 0.5)
    scores = expit(np.linspace(-3, 3, 7))
    assert found_objects == pytest.approx(n_objects, rel=0.05)
    assert scale.probability(scores) == pytest.approx(wanted.probability(scores), abs=0.08)
    by_bin = [
        np.bincount(frames.bin, counts, len(SCORE_EDGES)).astype(int) for counts in (frames.found, frames.predicted)
    ]
    _, pooled = scale_by_labels(LabelledFrames.pooled(*by_bin, int(frames.n_labelled.sum())))
    assert pooled < 0.9 * n_objects  # what overlooking the frames makes of it


def test_frames_in_any_order_are_the_same():
    drawn = list(five_a_frame(np.random.default_rng(1), 12))
    for one, other in zip(labelled_frames(drawn), labelled_frames(drawn[::-1]), strict=True):
        assert np.array_equal(one, other)


@given(st.floats(0.2, 3), st.floats(-3, 3), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_the_likelihoods_gradient_is_its_slope(slope, offset, seed):
    model = _Thinned(labelled_frames(list(five_a_frame(np.random.default_rng(seed), 6))))
    curve, step = np.array([slope, offset]), 1e-5
    numeric = [
        (model.loss(curve + step * axis)[0] - model.loss(curve - step * axis)[0]) / (2 * step) for axis in np.eye(2)
    ]
    assert model.loss(curve)[1] == pytest.approx(numeric, rel=1e-3, abs=0.02)


def test_f1_is_implied_by_probabilities_and_the_number_of_objects():
    predicted = score_histogram(np.array([0.2, 0.5, 0.9], np.float32), np.ones(3, bool))
    at_each = implied_f1(ScoreScale(1.0, 0.0), predicted, 2.0)[np.flatnonzero(predicted)]
    wanted = [2 * 1.6 / (3 + 2), 2 * 1.4 / (2 + 2), 2 * 0.9 / (1 + 2)]
    assert at_each == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize("n_labels", [1, 50, 200])
def test_few_labels_or_all_keep_the_curve_and_the_share_finite(n_labels):
    counts = np.zeros(len(SCORE_EDGES), np.int64)
    counts[[0, 100, -2, -1]] = 50
    found = np.zeros_like(counts)
    found[[-1, -2, 100, 0][: max(1, n_labels // 50)]] = min(n_labels, 50)
    scale, n_objects = scale_by_labels(LabelledFrames.pooled(found, counts, n_labels))
    assert np.isfinite(scale).all()
    assert scale.slope > 0
    assert n_labels <= n_objects < np.inf


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_kind_of_peak_or_a_perfect_score_keeps_the_curve_finite(share):
    counts = np.zeros(len(SCORE_EDGES), np.int64)
    counts[[0, 100, -2, -1]] = 50
    scale = fitted_scale(counts * share, counts)
    perfect = fitted_scale(np.where(np.arange(len(counts)) > 200, counts, 0.0), counts)
    for curve in (scale, perfect, fitted_scale(counts * 0.0, counts * 0)):
        assert np.isfinite(curve).all()
        assert curve.slope > 0
    assert perfect.probability([0.01, 0.99]) == pytest.approx([0, 1], abs=0.05)


@given(st.floats(0.01, 0.5), st.floats(0.51, 0.99))
def test_a_curve_through_two_points(low, high):
    scale = scale_through((low, 0.4), (high, 0.95))
    assert scale.probability([low, high]) == pytest.approx([0.4, 0.95])
    assert scale.score_at(0.4) == pytest.approx(low)
    assert torch.isfinite(torch.tensor(scale.probability([0.0, 1.0]))).all()
