"""Which threshold is chosen, and by which rule, on scores whose truth is known."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from scipy.special import expit, logit
from slow_matching import frame_of

from carcinosis_loc import metrics
from carcinosis_loc.metrics import Calibration, PointF1, SparsePointMetrics
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.metrics.sureness import Sureness
from carcinosis_loc.metrics.threshold_rules import Implied, _rule, _within_background
from carcinosis_loc.points import Peaks

RADIUS_PX = 2.0
calibrate = partial(metrics.calibrate, draws=0)  # most do not ask how sure it is


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
    both = PointF1(RADIUS_PX, 0.5, by_frame=True), SparsePointMetrics(RADIUS_PX, 0.5)
    for metric, pairs in zip(both, (dense, sparse), strict=True):
        metric.update([peaks for peaks, _ in pairs], [frame for _, frame in pairs])
    return both


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
    odds_of_four = -4.16, -3.36  # logits where background and objects, whose densities are known, are four to one
    found = logit([chosen.scale.score_at(0.2), chosen.scale.score_at(0.8)])
    assert found == pytest.approx(odds_of_four, abs=1.3)
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
    assert _rule(figures, Implied(0.2, ScoreScale(1.0, 0.0), 0.16), labels_first=True) == rule
    assert _rule(figures, Implied(0.2, ScoreScale(1.0, 0.0), 0.16), labels_first=False) == "valley"


def test_who_distrusts_labels_lets_a_clear_valley_decide():
    for chance, trusted in ((a_fifth, "labels"), (by_halves(0.25, 0.07), "both"), (the_conspicuous, "valley")):
        both = counted(sparse=detections(random(), 1.0, -4.0, chance))
        assert (calibrate(*both).rule, calibrate(*both, labels_first=False).rule) == (trusted, "valley")
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
    calibration = Calibration(0.25, "valley", 3, 30, ScoreScale(1.5, -0.25), Sureness(0.125, 0.5, 0.75))
    assert Calibration.read(calibration.plain()) == calibration
    assert {type(value) for value in calibration.plain().values()} == {float, str, int, list}
    older = {name: value for name, value in calibration.plain().items() if name != "sureness"}
    assert Calibration.read(older).sureness is None
    for wrong in ([1.0], "steep", [1.0, None]):
        with pytest.raises((TypeError, ValueError)):
            Calibration.read(calibration.plain() | {"scale": wrong})


@pytest.mark.parametrize("chance", [None, a_fifth])
def test_it_says_how_sure_it_is(chance):
    pairs = detections(random(), 1.0, -4.0, chance)
    both = counted(dense=pairs) if chance is None else counted(sparse=pairs)
    chosen = calibrate(*both, draws=20)
    assert chosen.sureness.low < chosen.threshold < chosen.sureness.high
    assert chosen.sureness.sure
    assert f"; {chosen.sureness.low:.3f} to {chosen.sureness.high:.3f} in nine of ten" in str(chosen)
    assert calibrate(*both, draws=20) == chosen  # draws are the same each time
    assert calibrate(*both).sureness is None


def test_it_needs_frames_apart_to_say_so():
    pairs = detections(random(), 1.0, -4.0)
    apart, together = (PointF1(RADIUS_PX, 0.5, by_frame=by_frame) for by_frame in (True, False))
    for metric in (apart, together):
        metric.update([peaks for peaks, _ in pairs], [frame for _, frame in pairs])
    surely, simply = (calibrate(metric, SparsePointMetrics(RADIUS_PX, 0.5), draws=20) for metric in (apart, together))
    assert dataclasses.replace(surely, sureness=None, threshold=simply.threshold, scale=simply.scale) == simply
    assert surely.scale == pytest.approx(simply.scale, rel=0.2)
    assert surely.sureness.low < surely.threshold < surely.sureness.high
    with pytest.raises(RuntimeError, match="by_frame=True"):
        together.labelled_frames()


def test_a_rule_at_its_limit_is_not_sure():
    """Labels that make up some three fifths of the objects: on some draws they count as random, on others not."""
    pairs = slope(random(), by_halves(1.0, 0.45))
    sureness = {
        calibrate(*counted(sparse=pairs[first : first + 8]), draws=20).sureness.sure for first in range(0, 40, 8)
    }
    assert False in sureness


def test_a_dip_within_the_background_is_no_valley():
    """Far more peaks lie above it than labels imply objects; the same dip counts where labels are not believable."""
    pairs = []
    for peaks, frame in detections(random(), 2.0, -3.0, a_fifth):
        scores = logit(peaks.scores)
        twice = np.where((scores < -1.5) & (np.arange(90) % 3 == 0), scores - 3.5, scores)  # a second hill far below
        order = np.argsort(-twice)
        pairs.append((Peaks(peaks.xy[order], expit(twice[order]).astype(np.float32)), frame))
    frames = counted(sparse=pairs)[1].labelled_frames()
    few = Implied(0.3, ScoreScale(1.0, 0.0), 0.5)
    for bottom, objects_per_frame, within in ((0.001, 30, False), (0.001, 12, True), (0.3, 12, False)):
        labels = few._replace(share=frames.n_labelled.sum() / (40 * objects_per_frame))
        assert _within_background(frames, labels, bottom) == within
    assert not _within_background(frames, few._replace(share=0.9), 0.001)


@pytest.mark.parametrize("chance", [a_fifth, by_halves(0.25, 0.03), the_conspicuous])
@pytest.mark.parametrize(("at_random", "rule"), [(True, "labels"), (False, "valley")])
def test_who_knows_how_labels_were_chosen_is_believed(chance, at_random, rule):
    counts = counted(sparse=detections(random(), 1.0, -4.0, chance))
    assert calibrate(*counts, labels_at_random=at_random).rule == rule


@pytest.mark.parametrize("chance", [a_fifth, by_halves(0.25, 0.03), the_conspicuous])
def test_where_labels_lean_a_valley_has_its_threshold_lower(chance):
    """Halfway down to the bottom, in logit, where labels show it; a third of the way where it is known."""
    counts = counted(sparse=detections(random(), 1.0, -4.0, chance))
    figures = counts[1].compute()
    bottom, slope = (logit(figures[f"valley_{end}"].item()) for end in ("bottom", "threshold"))
    for at_random, down in ((False, 1 / 3), (None, 1 / 2 if figures["labels_lean"] > 6 else 0)):
        chosen = calibrate(*counts, labels_first=False, labels_at_random=at_random)
        if chosen.rule == "valley":
            assert logit(chosen.threshold) == pytest.approx(slope + down * (bottom - slope), abs=1e-4)
    assert calibrate(*counts, labels_at_random=False).rule == "valley"


def test_labels_known_to_be_on_the_conspicuous_decide_last():
    """The knee before them; without a valley and a knee they are all there is."""
    assert calibrate(*counted(sparse=slope(random(), the_conspicuous)), labels_at_random=False).rule == "knee"
    assert calibrate(*counted(sparse=slope(random(), the_conspicuous)), labels_at_random=True).rule == "labels"
    flat = [
        (Peaks(p.xy, np.linspace(0.9, 0.3, len(p.xy)).astype(np.float32)), f)
        for p, f in detections(random(), 1.0, -4.0, a_fifth)
    ]
    assert calibrate(*counted(sparse=flat), labels_at_random=False).rule == "labels"


@pytest.mark.parametrize("at_random", [True, False, None])
def test_the_truth_decides_whatever_is_known_of_other_labels(at_random):
    counts = counted(detections(random(), 1.0, -4.0), detections(random(), 3.0, -1.0, a_fifth))
    assert calibrate(*counts, labels_at_random=at_random).rule == "exhaustive"


@pytest.mark.parametrize("at_random", [True, False, None])
def test_without_labels_a_clear_valley_decides_however_they_were_chosen(at_random):
    bare = [(peaks, frame_of(np.empty((0, 2)), size=(200, 220))) for peaks, _ in detections(random(), 1.0, -4.0)]
    assert calibrate(*counted(sparse=bare), labels_at_random=at_random).rule == "valley"
    flat = [(Peaks(p.xy, np.linspace(0.9, 0.3, len(p.xy)).astype(np.float32)), frame) for p, frame in bare]
    assert calibrate(*counted(sparse=flat), labels_at_random=at_random) is None
