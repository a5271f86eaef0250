"""Tiles: every pixel belongs to one core, and the map made of them is the whole image's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.models import HeatmapNet, HRNet, TiledNet
from carcinosis_loc.models.tiles import tiles


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.integers(1, 4), st.integers(0, 40), st.integers(1, 16))
def test_every_pixel_is_owned_by_exactly_one_core(size, steps, margin_px, multiple):
    margin = -(-margin_px // multiple) * multiple
    tile_px = 2 * margin + steps * multiple + 1
    owned = np.zeros(size, int)
    for tile in tiles(size, tile_px, margin_px, multiple):
        owned[slice(*tile.core_rows), slice(*tile.core_columns)] += 1
        for window, core, length in ((tile.rows, tile.core_rows, size[0]), (tile.columns, tile.core_columns, size[1])):
            assert window[1] - window[0] <= tile_px
            assert window[0] % multiple == core[0] % multiple == 0
            assert core[0] - window[0] >= margin_px or window[0] == 0
            assert window[1] - core[1] >= margin_px or window[1] == length
    assert (owned == 1).all()


@pytest.mark.parametrize(("tile_px", "margin_px"), [(64, 32), (64, -1), (31, 0), (96, 33)])
def test_tiles_without_a_core_are_refused(tile_px, margin_px):
    with pytest.raises(ValueError, match="enlarge tile_px"):
        list(tiles((100, 100), tile_px, margin_px, 32))


class Near(nn.Module):
    """A backbone that looks 10 px far: three convolutions at stride 1, 2 and 4."""

    stride, multiple, out_channels = 4, 8, 4

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, 2, 1),
        )

    def forward(self, image):
        return self.layers(image)


def near_net():
    torch.manual_seed(0)
    net = HeatmapNet(Near()).eval()
    nn.init.normal_(net.head.weight)
    return net


@pytest.mark.parametrize("size", [(64, 64), (65, 130), (203, 157), (30, 300), (1, 99)])
def test_with_margin_enough_the_map_is_that_of_the_whole_image(size):
    net = near_net()
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(TiledNet(net, tile_px=64, margin_px=16)(image), net(image), rtol=0, atol=1e-5)


def test_with_margin_too_small_it_is_not():
    net = near_net()
    image = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    with torch.inference_mode():
        assert (TiledNet(net, tile_px=64, margin_px=0)(image) - net(image)).abs().max() > 1e-3


def test_no_tile_is_larger_than_asked():
    net, seen = near_net(), []
    net.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    with torch.inference_mode():
        TiledNet(net, tile_px=64, margin_px=16)(torch.zeros(2, 3, 200, 150, dtype=torch.uint8))
    assert max(max(shape[2:]) for shape in seen) <= 64
    assert {shape[0] for shape in seen} == {1}


def test_a_spot_on_a_seam_is_found_once():
    """Peaks are taken from the map as a whole: a hill across two or four cores is one peak."""
    net = HeatmapNet(Mean(), mean=(0, 0, 0), std=(1, 1, 1)).eval()
    nn.init.constant_(net.head.weight, 0.1)
    nn.init.constant_(net.head.bias, -6.0)
    rows, columns = np.mgrid[:128, :128]
    image = np.zeros((128, 128))
    for x, y in ((31.5, 31.5), (63.5, 40), (64, 64), (100, 95.5)):
        image += 120 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 72)
    batch = torch.from_numpy(np.repeat(image[None, None].astype(np.uint8), 3, axis=1))
    with torch.inference_mode():
        whole, tiled = (PeakDecoder(score_floor=0.5)(n(batch), 4)[0] for n in (net, TiledNet(net, 64, 16)))
    assert len(tiled) == 4
    np.testing.assert_allclose(tiled.xy, whole.xy, atol=1e-3)


class Mean(nn.Module):
    """A backbone whose feature is the mean of each 4x4 cell."""

    stride, multiple, out_channels = 4, 8, 1

    def forward(self, image):
        return nn.functional.avg_pool2d(image.mean(1, keepdim=True), 4)


def test_the_small_hrnet_in_tiles():
    """Its coarsest branch looks some 250 px far: with that as margin nothing is left of the tiles."""
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(width=4, stem_width=4, stem_blocks=1, modules=(1, 1, 1), blocks=1)).eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_var.fill_(0.01)  # else the untrained network gives nearly the same everywhere
    image = torch.randint(0, 256, (1, 3, 90, 700), dtype=torch.uint8)
    with torch.inference_mode():
        whole = net(image)
        for margin_px, most in ((192, 1e-4), (0, None)):
            differs = (TiledNet(net, 2 * margin_px + 96, margin_px)(image) - whole).abs().max() / whole.std()
            assert differs < most if most else differs > 0.01


@pytest.mark.parametrize(("size", "together"), [((400, 640), [1, 1, 1]), ((256, 512), [2, 1]), ((64, 64), [3])])
def test_on_a_cpu_a_batch_goes_in_parts(size, together):
    net, seen = near_net(), []
    image = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    with torch.inference_mode():
        expected = net(image)
        net.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
        torch.testing.assert_close(TiledNet(net)(image), expected, rtol=0, atol=1e-5)
    assert seen == together
