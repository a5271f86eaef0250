"""Many scales: the mean over enlarged images, each cell where it belongs."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import nn

from carcinosis_loc.models import HeatmapNet, HRNet, ManyScales, ManyViews, TiledNet


class Means(nn.Module):
    """Says what it sees, on a coarser grid."""

    stride, multiple, out_channels = 4, 8, 3

    def forward(self, image):
        return nn.functional.avg_pool2d(image, 4)


@pytest.fixture
def plain():
    torch.manual_seed(0)
    net = HeatmapNet(Means())
    nn.init.normal_(net.head.weight)
    return net


def smooth(*size):
    """An image without detail that enlarging could change; its borders are level."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(3, *size)), (0, 12, 12))
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]).clip(0, 16) / 16 for n in size)
    return torch.tensor(128 + 600 * noise * np.outer(rows, columns), dtype=torch.float32)[None]


@torch.inference_mode()
def test_one_scale_is_the_network_itself(plain):
    image = smooth(64, 96)
    torch.testing.assert_close(ManyScales(plain, [1.0])(image), plain(image), rtol=0, atol=0)


@torch.inference_mode()
@pytest.mark.parametrize("scales", [[2.0], [1.5], [1.0, 1.25, 2.0], [3.0, 0.5]])
@pytest.mark.parametrize("size", [(128, 160), (129, 157)])
@pytest.mark.parametrize("tiled", [False, True])
def test_cells_of_all_scales_lie_upon_one_another(plain, scales, size, tiled):
    """A cell's shift would show: neighbours differ by four times as much, so half a cell would, too."""
    image = smooth(*size)
    expected = plain(image)
    looked_at = TiledNet(plain, tile_px=64, margin_px=8) if tiled else plain
    logits = ManyScales(looked_at, scales)(image)
    assert logits.shape == expected.shape
    steps = max((expected.diff(dim=axis)).abs().max().item() for axis in (-1, -2))
    assert (logits - expected).abs().max().item() < steps / 4


@torch.inference_mode()
def test_it_is_the_mean_over_scales_in_numpy():
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(width=4, stem_width=8, stem_blocks=1, modules=(1, 1, 1), blocks=1)).eval()
    nn.init.normal_(net.head.weight)
    image = smooth(64, 96)
    larger = nn.functional.interpolate(image, (128, 192), mode="bicubic").clamp(0, 255)
    said = net(larger)[0, 0].numpy()
    rows, columns = ((np.arange(2 * n)[::2] + 0.5) for n in (64 // net.stride, 96 // net.stride))
    halved = map_coordinates(said, np.meshgrid(rows, columns, indexing="ij"), order=1)
    expected = (net(image)[0, 0].numpy() + halved) / 2
    np.testing.assert_allclose(ManyScales(net, [1.0, 2.0])(image)[0, 0].numpy(), expected, atol=1e-4)


@torch.inference_mode()
def test_whole_numbers_of_pixels_and_views_do_as_well(plain):
    image = torch.randint(0, 256, (2, 3, 33, 50), generator=torch.manual_seed(1), dtype=torch.uint8)
    scales = ManyScales(plain, [1.0, 1.5])
    assert scales(image).shape == plain(image).shape
    torch.testing.assert_close(ManyViews(scales, 1)(image), scales(image), rtol=0, atol=1e-5)
    assert ManyViews(scales, 8)(image).shape == plain(image).shape


@torch.inference_mode()
def test_an_image_smaller_than_a_cell(plain):
    image = torch.zeros(1, 3, 2, 3)
    assert ManyScales(plain, [0.25, 4.0])(image).shape == (1, 1, 1, 1)
