"""The decoder that is in an exported file against ``PeakDecoder``, on random and on crafted maps."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.export.decoding import back_graph
from carcinosis_loc.heatmap import PeakDecoder, cells_of

DECODERS = {
    "usual": PeakDecoder(),
    "few": PeakDecoder(top_k=7, nms_radius_px=9.0),
    "one": PeakDecoder(top_k=1),
    "wide": PeakDecoder(score_floor=0.0, nms_radius_px=30.0, top_k=200),
    "no suppression": PeakDecoder(score_floor=0.4, nms_radius_px=0.0, top_k=50),
}


@pytest.fixture(scope="module")
def sessions():
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    graphs = {name: back_graph(decoder, 4) for name, decoder in DECODERS.items()}
    for graph in graphs.values():
        onnx.checker.check_model(graph, full_check=True)
    return {
        name: onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for name, graph in graphs.items()
    }


def assert_same(session, decoder, logits, valid=None, ties=False):
    """Same number, same order, same places, same scores; -1 behind the last; padding cut off."""
    batch, _, rows, columns = logits.shape
    valid = torch.ones(batch, 1, 4 * rows - 1, 4 * columns - 3, dtype=torch.bool) if valid is None else valid
    padded = torch.nn.functional.pad(logits, (0, 3, 0, 2), value=50.0)  # what is cut off must not be seen
    feed = {"padded": padded.numpy(), "valid": valid.numpy()}
    points, scores, count, cut = session.run(["points", "scores", "count", "logits"], feed)
    assert np.array_equal(cut, logits.numpy())
    wanted = decoder(logits, 4, cells_of(valid, 4))
    assert count.tolist() == [len(peaks) for peaks in wanted]
    for peaks, xy, score, n in zip(wanted, points, scores, count, strict=True):
        assert np.abs(xy[:n] - peaks.xy).max(initial=0) < 1e-3
        assert np.abs(score[:n] - peaks.scores).max(initial=0) < 1e-6
        assert (xy[n:] == -1).all()
        assert (score[n:] == -1).all()
    return count


sizes = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))


@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 2**31 - 1), sizes, st.sampled_from([1.0, 4.0]))
@settings(max_examples=80, deadline=None)
def test_random_maps(sessions, name, seed, size, spread):
    batch, rows, columns = size
    random = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(batch, 1, rows, columns, generator=random)
    valid = torch.rand(batch, 1, 4 * rows - seed % 4, 4 * columns - seed % 3, generator=random) > 0.1
    assert_same(sessions[name], DECODERS[name], logits, valid)


@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 2**31 - 1), sizes, st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_plateaus_and_ties(sessions, name, seed, size, levels):
    """Whole numbers: many cells are equal, beside each other and apart, and more than top_k want to stay."""
    batch, rows, columns = size
    random = torch.Generator().manual_seed(seed)
    logits = torch.randint(-levels, levels + 1, (batch, 1, rows, columns), generator=random).float()
    assert_same(sessions[name], DECODERS[name], logits)


def one_peak(row, column, value=3.0, size=(9, 12)):
    logits = torch.full((1, 1, *size), -9.0)
    logits[0, 0, row, column] = value
    return logits


CRAFTED = {
    "all equal": torch.full((2, 1, 8, 11), 2.0),
    "below the floor": torch.full((2, 1, 8, 11), -30.0),
    "a corner": one_peak(0, 0),
    "the other corner": one_peak(8, 11),
    "a border": one_peak(8, 5),
    "one cell": torch.zeros(1, 1, 1, 1),
    "one row": torch.tensor([[[[0.0, 2.0, 1.0, 2.0]]]]),
    "two columns": torch.tensor([[[[0.0, 2.0], [1.0, -1.0], [3.0, 3.0]]]]),
    "very sure": one_peak(4, 4, 60.0),
    "very unsure around": one_peak(4, 4, -1.0) - 40.0 * (one_peak(4, 4, 1.0) < 0),
}


@pytest.mark.parametrize("what", CRAFTED)
@pytest.mark.parametrize("name", DECODERS)
def test_crafted_maps(sessions, name, what):
    assert_same(sessions[name], DECODERS[name], CRAFTED[what])


def test_a_chain_of_suppression_is_followed_to_its_end(sessions):
    """Each peak lies near the next alone: the first, third, fifth, ... stay, however long the chain."""
    logits = torch.full((1, 1, 1, 120), -9.0)
    logits[0, 0, 0, 1::3] = torch.linspace(6, -4, 40)
    session = sessions["few"]
    assert assert_same(session, DECODERS["few"], logits).tolist() == [7]
    count = assert_same(sessions["wide"], PeakDecoder(score_floor=0.0, nms_radius_px=30.0, top_k=200), logits)
    assert 10 < count[0] < 20


def test_a_mask_without_a_pixel_gives_no_point(sessions):
    valid = torch.zeros(1, 1, 36, 48, dtype=torch.bool)
    assert assert_same(sessions["usual"], DECODERS["usual"], one_peak(4, 4), valid).tolist() == [0]
