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


def highest(net, image):
    """The highest within each cell between the middles of cells, of an image that is not enlarged."""
    height, width = image.shape[-2:]
    padded = nn.functional.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
    fine = nn.functional.interpolate(net(padded), scale_factor=4, mode="bilinear", align_corners=False)
    return nn.functional.max_pool2d(fine, 4)[..., : -(-height // 4), : -(-width // 4)]


@torch.inference_mode()
@pytest.mark.parametrize("scales", [[2.0], [1.5], [1.0, 1.25, 2.0], [3.0, 0.5]])
@pytest.mark.parametrize("size", [(128, 160), (129, 157)])
@pytest.mark.parametrize("tiled", [False, True])
def test_cells_of_all_scales_lie_upon_one_another(plain, scales, size, tiled):
    """A shift by half a cell would show: neighbours differ by more than four times as much."""
    image = smooth(*size)
    expected = sum(plain(image) if scale == 1 else highest(plain, image) for scale in scales) / len(scales)
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
    rows, columns = ((np.arange(2 * n) + 0.5) / 2 - 0.5 for n in said.shape)  # four places in each plain cell
    fine = map_coordinates(said, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")
    most = fine.reshape(said.shape[0] // 2, 4, said.shape[1] // 2, 4).max((1, 3))
    expected = (net(image)[0, 0].numpy() + most) / 2
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


class Places(nn.Module):
    """A summit as wide as a network draws it, where a bright spot is."""

    stride, multiple = 4, 8
    mean = torch.zeros(1)

    def forward(self, image):
        rows, columns = (torch.arange(n // 4) * 4 + 1.5 for n in image.shape[-2:])
        at = (image[0, 0] == image[0, 0].max()).nonzero().float().mean(0)
        squared = (rows[:, None] - at[0]) ** 2 + (columns - at[1]) ** 2
        return torch.logit(0.001 + 0.95 * torch.exp(-squared / 2 / 6.0**2))[None, None]


@torch.inference_mode()
@pytest.mark.parametrize("scale", [1.5, 2.0, 3.0])
def test_a_summit_keeps_its_height_wherever_in_a_cell_it_lies(scale):
    heights = []
    for x in range(40, 44):
        image = torch.zeros(1, 3, 96, 96)
        image[..., 48, x] = 255
        smoothed = torch.from_numpy(gaussian_filter(image.numpy(), (0, 0, 2, 2)))
        heights.append(ManyScales(Places(), [scale])(smoothed).amax().sigmoid().item())
    assert min(heights) > 0.86
    assert max(heights) - min(heights) < 0.07


@torch.inference_mode()
def test_a_batch_is_enlarged_in_parts():
    class Counting(Means):
        most = 0

        def forward(self, image):
            self.most = max(self.most, image[:, 0].numel())
            return super().forward(image)

    net = HeatmapNet(Counting())
    images = torch.rand(8, 3, 32, 32) * 255
    together = ManyScales(net, [1.0, 2.0])(images)
    assert net.backbone.most == 8 * 32 * 32
    alone = torch.cat([ManyScales(net, [1.0, 2.0])(image[None]) for image in images])
    torch.testing.assert_close(together, alone)
