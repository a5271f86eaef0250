"""What sparse labels can support."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_matching import RADII, SCORES, counts_at, frame_of, frames, peaks_at, peaks_of

from carcinosis_loc.metrics import SparsePointMetrics
from carcinosis_loc.metrics.sparse import lee_liu, relative_error
from carcinosis_loc.points import Peaks


def values_of(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns where nothing was counted; ours is defined there
        return {name: value.item() for name, value in metric.compute().items()}


def scored(pairs, radius=2.0, threshold=0.5):
    metric = SparsePointMetrics(radius, threshold)
    metric.update([peaks for peaks, _ in pairs], [frame for _, frame in pairs])
    return metric


def test_by_hand():
    """At 0.9: recall 1/3 by 1 peak; at 0.5: 2/3 by 3; at 0.2: 2/3 by 4. So r^2 n / k is 1/3, 4/9, 1/3."""
    pairs = [
        (peaks_at((0, 0, 0.9), (40, 40, 0.5)), frame_of([(0, 0), (10, 0)])),
        (peaks_at((5, 5, 0.5), (30, 5, 0.2)), frame_of([(5, 5)])),
    ]
    values = values_of(scored(pairs, threshold=0.15))
    assert {name: value for name, value in values.items() if not name.startswith(("estimated", "valley"))} == {
        "recall_on_labelled": 2 / 3,
        "predicted_per_frame": 4 / 2,
        "lee_liu": pytest.approx(4 / 9),
        "lee_liu_error": pytest.approx(4 / 9 * 2 * (2 / (3 * 3)) ** 0.5),
        "lee_liu_threshold": pytest.approx(1 / 3, abs=1e-3),  # midway between 0.5 and 0.2, in logit
        "labels_lean": 0,
        "knee_threshold": 1,  # none
        "knee_steepness": 0,
        "labels_median": pytest.approx(0.9, abs=1e-3),  # the upper one of two
        "labelled_share": 0,  # three labels say nothing about that
        "n_images": 2,
        "n_labelled": 3,
    }


@given(st.integers(1, 400), st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_the_error_is_how_much_the_score_moves_with_which_labels_there_are(n_labelled, recall, seed):
    """Against draws: labels that are found with this probability, by as many peaks each time."""
    n = n_labelled + 200
    found = np.random.default_rng(seed).binomial(n, recall, 4000)
    scores = lee_liu(found, np.full(4000, 1000), n)
    error = lee_liu(np.array(recall * n), np.array(1000), n) * relative_error(round(recall * n), n)
    assert scores.std() == pytest.approx(error, rel=0.15)


def test_a_score_that_nothing_was_found_for_is_all_error():
    assert relative_error(0, 5) == relative_error(1, 400) == relative_error(0, 0) == 1
    assert 0 < relative_error(400, 400) < relative_error(5, 5) < 1


def test_more_peaks_that_find_nothing_lower_the_score():
    frame = frame_of([(0, 0), (10, 0)])
    few = peaks_at((0, 0, 0.9), (10, 0, 0.9))
    many = Peaks(np.concatenate([few.xy, np.full((6, 2), 40)]), np.full(8, 0.9))
    assert values_of(scored([(few, frame)]))["lee_liu"] == 1
    assert values_of(scored([(many, frame)]))["lee_liu"] == pytest.approx(2 / 8)


def test_precision_and_f1_are_not_given():
    assert not [name for name in values_of(scored([])) if "precision" in name or name.startswith(("f1", "best_f1"))]


@pytest.mark.parametrize(
    "pairs",
    [[], [(Peaks.none(), frame_of())], [(peaks_at((1, 1, 0.9)), frame_of())], [(Peaks.none(), frame_of([(1, 1)]))]],
)
def test_empty_cases(pairs):
    values = values_of(scored(pairs))
    assert (values["lee_liu"], values["lee_liu_threshold"], values["recall_on_labelled"]) == (0, 0.5, 0)
    assert values["predicted_per_frame"] == sum(len(peaks) for peaks, _ in pairs)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(peaks_of(), frames()), min_size=1, max_size=3), st.sampled_from(RADII), st.sampled_from(SCORES)
)
def test_all_figures_are_their_definitions(pairs, radius, threshold):
    values = values_of(scored(pairs, radius, threshold))
    n = sum(len(frame.points) for _, frame in pairs)

    def pooled(at):
        counts = [counts_at(peaks, frame, radius, at) for peaks, frame in pairs]
        return sum(tp for tp, _ in counts), sum(predicted for _, predicted in counts)

    def score(at):
        tp, predicted = pooled(at)
        return (tp / n) ** 2 * n / predicted if tp else 0.0

    assert values["recall_on_labelled"] == pooled(threshold)[0] / max(1, n)
    assert values["predicted_per_frame"] == pooled(threshold)[1] / len(pairs)
    assert values["lee_liu"] == pytest.approx(max(map(score, SCORES)))
    if values["lee_liu"]:
        assert score(values["lee_liu_threshold"]) == pytest.approx(values["lee_liu"])
    assert 0 <= values["lee_liu"] <= 1


def test_under_labels_missing_at_random_it_is_precision_times_recall_but_for_the_share():
    """Three detectors on dense truth, where the score is precision times recall, and on a fifth of its labels."""
    random = np.random.default_rng(0)
    dense = [random.uniform(0, 400, (100, 2)).astype(np.float32) for _ in range(30)]
    sparse = [xy[random.random(len(xy)) < 0.2] for xy in dense]

    def detector(hit, n_false):
        peaks = [
            np.concatenate([xy[random.random(len(xy)) < hit], random.uniform(0, 400, (n_false, 2))]) for xy in dense
        ]
        return [Peaks(xy, np.full(len(xy), 0.9)) for xy in peaks]

    for hit, n_false in ((0.9, 20), (0.6, 5), (0.95, 150)):
        peaks = detector(hit, n_false)
        sets = ([(p, frame_of(xy)) for p, xy in zip(peaks, xys, strict=True)] for xys in (dense, sparse))
        true, labelled = (values_of(scored(pairs)) for pairs in sets)
        share = labelled["n_labelled"] / true["n_labelled"]
        assert labelled["lee_liu"] == pytest.approx(true["lee_liu"] * share, rel=0.1)


def test_habits_of_a_metric():
    metric = scored([(peaks_at((0, 0, 0.9)), frame_of([(0, 0)]))])
    assert metric.state_dict() == {}
    states = [getattr(metric, name) for name in metric._defaults]
    tensors = [tensor for state in states for tensor in (state if isinstance(state, list) else [state])]
    assert {tensor.dtype for tensor in tensors} == {torch.int32, torch.int64}
    assert values_of(pickle.loads(pickle.dumps(metric))) == values_of(metric.clone()) == values_of(metric)
    metric.reset()
    metric.threshold = 0.95
    metric.update([peaks_at((0, 0, 0.9))], [frame_of([(0, 0)])])
    assert values_of(metric)["recall_on_labelled"] == 0


def test_five_labels_on_sparse_and_crowded_frames_tell_how_many_objects_there_are():
    draw, metric, n_objects = np.random.default_rng(0), SparsePointMetrics(2.0, 0.5), 0
    for n in draw.integers(5, 101, 100).tolist():
        places = np.stack(np.divmod(draw.permutation(400)[: 2 * n], 20), axis=1) * 10.0
        logits = np.concatenate([draw.normal(1.5 - n / 50, 1.5, n), draw.normal(-4, 1, n)])  # objects, background
        order = np.argsort(-logits)
        peaks = Peaks(places[order], 1 / (1 + np.exp(-logits[order])))
        metric.update([peaks], [frame_of(places[draw.permutation(n)[:5]].tolist(), size=(200, 200))])
        n_objects += n
    values = values_of(metric)
    assert values["estimated_objects_per_frame"] == pytest.approx(n_objects / 100, rel=0.1)
    assert values["labelled_share"] == pytest.approx(500 / n_objects, rel=0.1)
