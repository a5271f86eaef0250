"""Many views: the mean over mirrored and turned images, each cell where it belongs."""

import numpy as np
import pytest
import torch
from torch import nn

from carcinosis_loc.look import Look
from carcinosis_loc.models import HeatmapNet, HRNet, ManyScales, ManyViews, TiledNet, prepared


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(width=4, stem_width=8, stem_blocks=1, modules=(1, 1, 1), blocks=1)).eval()
    nn.init.normal_(net.head.weight)
    return net


def image_of(*size):
    return torch.randint(0, 256, (2, 3, *size), generator=torch.manual_seed(1), dtype=torch.uint8)


def slowly(net, image, views):
    """One view after the other, in numpy."""
    total = 0
    for number in range(views):
        seen = image.numpy()
        seen = seen[..., ::-1] if number & 1 else seen
        seen = seen[..., ::-1, :] if number & 2 else seen
        seen = np.swapaxes(seen, -1, -2) if number & 4 else seen
        said = net(torch.from_numpy(seen.copy())).numpy()
        said = np.swapaxes(said, -1, -2) if number & 4 else said
        said = said[..., ::-1, :] if number & 2 else said
        total = total + (said[..., ::-1] if number & 1 else said)
    return total / views


@torch.inference_mode()
@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_it_is_the_mean_over_views(net, views):
    image = image_of(64, 96)
    logits = ManyViews(net, views)(image)
    np.testing.assert_allclose(logits.numpy(), slowly(net, image, views), atol=1e-5)
    assert views == 1 or (logits - net(image)).abs().max() > 1e-3


@torch.inference_mode()
def test_a_turned_image_gives_turned_logits(net):
    looking, image = ManyViews(net, 8), image_of(64, 96)
    expected = looking(image)
    torch.testing.assert_close(looking(image.rot90(1, (-2, -1))), expected.rot90(1, (-2, -1)), rtol=0, atol=1e-5)
    torch.testing.assert_close(looking(image.flip(-1)), expected.flip(-1), rtol=0, atol=1e-5)


class Means(nn.Module):
    """The same from every side, and so are its sums."""

    stride, multiple, out_channels = 4, 8, 3

    def forward(self, image):
        return nn.functional.avg_pool2d(image, 4)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(64, 96), (65, 90), (3, 5)])
@pytest.mark.parametrize("tiled", [False, True])
def test_cells_of_all_views_lie_upon_one_another(size, tiled):
    plain = HeatmapNet(Means())
    nn.init.normal_(plain.head.weight)
    looked_at = TiledNet(plain, tile_px=32, margin_px=8) if tiled else plain
    logits = ManyViews(looked_at, 8)(image_of(*size))
    torch.testing.assert_close(logits, plain(image_of(*size)), rtol=0, atol=1e-4)


def test_what_is_made_ready_looks_as_it_is_asked_to(net):
    assert isinstance(prepared(net), TiledNet)
    both = prepared(net, look=Look(8, (1.0, 1.5)))
    assert isinstance(both, ManyViews)
    assert isinstance(both.net, ManyScales)
    assert isinstance(both.net.net, TiledNet)
    assert both.mean is not None
    assert isinstance(prepared(net, look=Look(scales=(2.0,))), ManyScales)
