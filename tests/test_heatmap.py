"""Encoding and decoding: each against a plain reference, and both as a round trip."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder, cells_of
from carcinosis_loc.points import map_size


def encode(points, size, stride, **options):
    xy = torch.tensor(points, dtype=torch.float32).reshape(1, -1, 2)
    return GaussianEncoder(**options)(xy, torch.ones(xy.shape[:2], dtype=torch.bool), map_size(size, stride), stride)


def plain_target(points, size, stride, sigma_px, combine):
    """Every cell against every point."""
    height, width = map_size(size, stride)
    target = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            x, y = (column + 0.5) * stride - 0.5, (row + 0.5) * stride - 0.5
            values = [math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma_px**2)) for px, py in points]
            target[row, column] = min(1.0, (max if combine == "max" else sum)(values)) if values else 0.0
    return target


@pytest.mark.parametrize("combine", ["max", "sum"])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_targets_are_the_plain_ones(combine, stride):
    points = [(3.2, 4.7), (5.0, 5.5), (-0.4, 20.3), (30.0, 0.0), (31.4, 23.4)]
    target = encode(points, (24, 32), stride, sigma_px=3.0, combine=combine, truncate=4.0)
    assert np.abs(target[0, 0].numpy() - plain_target(points, (24, 32), stride, 3.0, combine)).max() < 1e-3


def test_targets_of_a_batch_keep_apart_and_skip_what_is_not_labelled():
    points = torch.tensor([[[4.0, 4.0], [20.0, 20.0]], [[4.0, 4.0], [20.0, 20.0]]])
    labelled = torch.tensor([[True, False], [False, False]])
    target = GaussianEncoder(2.0)(points, labelled, (24, 24), 1)
    assert target[0, 0, 4, 4] == 1
    assert target[0, 0, 20, 20] == 0
    assert target[1].sum() == 0
    assert GaussianEncoder(2.0)(points[:, :0], labelled[:, :0], (24, 24), 1).sum() == 0


@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from([2, 4, 8]),
    st.tuples(st.integers(40, 97), st.integers(40, 97)),
    st.floats(1.0, 3.0),
)
@settings(max_examples=150, deadline=None)
def test_round_trip_of_an_isolated_point(seed, stride, size, sigma_cells):
    random = np.random.default_rng(seed)
    height, width = size
    x, y = random.uniform(-0.5, width - 0.5), random.uniform(-0.5, height - 0.5)
    target = encode([(x, y)], size, stride, sigma_px=sigma_cells * stride)
    (peaks,) = PeakDecoder(score_floor=0.3)(torch.logit(target, eps=1e-6), stride)
    assert len(peaks) == 1
    outermost = not (stride - 0.5 <= x <= width - 0.5 - stride and stride - 0.5 <= y <= height - 0.5 - stride)
    assert np.abs(peaks.xy[0] - [x, y]).max() < (0.2 if outermost else 0.05)


def test_round_trip_of_many():
    points = np.stack(np.meshgrid(np.arange(10, 120, 25.3), np.arange(8, 100, 25.7)), -1).reshape(-1, 2)
    target = encode(points.tolist(), (110, 130), 4, sigma_px=6.0)
    (peaks,) = PeakDecoder(score_floor=0.3)(torch.logit(target, eps=1e-6), 4)
    found = peaks.xy[np.lexsort((peaks.xy[:, 0].round(), peaks.xy[:, 1].round()))]
    assert found.shape == points.shape
    assert np.abs(found - points).max() < 0.05


def plain_peaks(logits, floor):
    """Strict local maxima above the floor, by loops."""
    height, width = logits.shape
    found = []
    for r in range(height):
        for c in range(width):
            around = logits[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
            if logits[r, c] >= math.log(floor / (1 - floor)) and (around < logits[r, c]).sum() == around.size - 1:
                found.append((r, c))
    return found


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_peaks_are_the_plain_local_maxima(seed):
    logits = torch.randn(1, 1, 13, 17, generator=torch.Generator().manual_seed(seed))
    (peaks,) = PeakDecoder(score_floor=0.4, nms_radius_px=0.0)(logits, 1)
    cells = {(round(float(y)), round(float(x))) for x, y in peaks.xy}
    plain = plain_peaks(logits[0, 0].numpy(), 0.4)
    assert len(peaks) == len(plain)
    near = [min(abs(r - y) + abs(c - x) for y, x in cells) for r, c in plain]
    assert max(near, default=0) <= 1
    expected = sorted((torch.sigmoid(logits[0, 0, r, c]).item() for r, c in plain), reverse=True)
    assert peaks.scores.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_plateau_is_one_peak_and_always_the_same():
    logits = torch.full((1, 1, 12, 12), -3.0)
    logits[0, 0, 4:7, 5:9] = 20.0  # saturated: equal cells
    first = PeakDecoder(nms_radius_px=0.0)(logits.bfloat16(), 4)[0]
    again = PeakDecoder(nms_radius_px=0.0)(logits.bfloat16(), 4)[0]
    high = first.above(0.5)
    assert len(high) == 1
    assert (first.xy == again.xy).all()
    assert len(PeakDecoder()(torch.full((1, 1, 8, 8), 5.0), 4)[0]) == 1


def test_an_empty_map_has_no_peak_however_flat():
    noise = -12 + 0.01 * torch.randn(3, 1, 16, 16)
    assert [len(peaks) for peaks in PeakDecoder(score_floor=0.01)(noise, 4)] == [0, 0, 0]


def test_radius_nms_keeps_the_better_and_top_k_the_best():
    logits = torch.full((1, 1, 1, 40), -9.0)
    for column, value in ((3, 2.0), (6, 3.0), (9, 1.0), (20, 0.0), (30, -1.0)):
        logits[0, 0, 0, column] = value
    (peaks,) = PeakDecoder(score_floor=0.05, nms_radius_px=3.5)(logits, 1)
    assert peaks.xy[:, 0].round().tolist() == [6, 20, 30]  # 3 and 9 lie within 3.5 of the better 6
    (peaks,) = PeakDecoder(score_floor=0.05, nms_radius_px=0.0, top_k=2)(logits, 1)
    assert peaks.xy[:, 0].round().tolist() == [6, 3]


def test_the_suppressed_suppress_nobody():
    logits = torch.full((1, 1, 1, 20), -9.0)
    for column, value in ((3, 3.0), (6, 2.0), (9, 1.0)):
        logits[0, 0, 0, column] = value
    (peaks,) = PeakDecoder(score_floor=0.05, nms_radius_px=4.0)(logits, 1)
    assert peaks.xy[:, 0].round().tolist() == [3, 9]


def test_no_peaks_where_nothing_is_valid():
    logits = torch.full((1, 1, 8, 8), -9.0)
    logits[0, 0, 2, 2], logits[0, 0, 6, 6] = 2.0, 4.0
    valid = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    valid[..., 5:] = False
    (peaks,) = PeakDecoder()(logits, 4, valid)
    assert len(peaks) == 1
    assert peaks.xy[0] == pytest.approx([9.5, 9.5])


def test_cells_of_is_true_where_any_pixel_is():
    valid = torch.zeros(1, 1, 10, 9, dtype=torch.bool)
    valid[0, 0, 4, 8] = True
    cells = cells_of(valid, 4)
    assert cells.shape == (1, 1, 3, 3)
    assert cells.nonzero().tolist() == [[0, 0, 1, 2]]


@pytest.mark.parametrize(
    "build",
    [
        lambda: GaussianEncoder(sigma_px=0),
        lambda: PeakDecoder(threshold=1.5),
        lambda: PeakDecoder(score_floor=-0.1),
        lambda: PeakDecoder(nms_radius_px=-1),
        lambda: PeakDecoder(nms_radius_px=math.nan),
        lambda: PeakDecoder(top_k=0),
    ],
)
def test_arguments_without_sense_are_refused(build):
    with pytest.raises(ValueError, match="must"):
        build()
