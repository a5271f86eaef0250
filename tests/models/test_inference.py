"""Inference: folded batch norms and a compiled network give the logits of the plain one."""

import logging

import pytest
import torch
from torch import nn

from carcinosis_loc.models import HeatmapNet, HRNet, TiledNet, inference, prepared


def net_of(backbone):
    """An untrained network with the statistics of a trained one."""
    torch.manual_seed(0)
    net = HeatmapNet(backbone).eval()
    nn.init.normal_(net.head.weight)
    for norm in norms(net):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.02, 0.2)
    with torch.no_grad():
        net.head.weight /= net(image_of(64, 64)).std()  # logits of a common size
    return net


def norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def small():
    return HRNet(width=4, stem_width=8, stem_blocks=1, modules=(1, 1, 1), blocks=1)


def image_of(*size):
    return torch.randint(0, 256, (2, 3, *size), generator=torch.manual_seed(1), dtype=torch.uint8)


def test_folding_leaves_the_logits_and_no_batch_norm():
    net = net_of(small())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    ready = prepared(net, tile_px=None)
    with torch.inference_mode():
        expected = net(image_of(70, 90))
        torch.testing.assert_close(ready(image_of(70, 90)), expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.1
    assert len(norms(net)) == 40
    assert norms(ready) == []
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_folding_stops_where_it_would_be_wrong():
    class Odd(nn.Module):
        """A norm before its convolution; a convolution with two readers; one that is used twice."""

        stride, multiple, out_channels = 4, 4, 3

        def __init__(self):
            super().__init__()
            self.first, self.pool = nn.BatchNorm2d(3), nn.AvgPool2d(4)
            self.shared, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
            self.twice, self.after = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
            self.plain, self.last = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, image):
            x = self.shared(self.first(self.pool(image)))
            x = x + self.norm(x)
            return self.last(self.plain(self.twice(self.after(self.twice(x)))))

    net = net_of(Odd())
    ready = prepared(net, tile_px=None)
    with torch.inference_mode():
        torch.testing.assert_close(ready(image_of(32, 32)), net(image_of(32, 32)), rtol=0, atol=1e-4)
    assert len(norms(ready)) == 3


def test_a_backbone_that_cannot_be_traced_stays_as_it_is():
    class Choosing(nn.Module):
        stride, multiple, out_channels = 4, 4, 3

        def __init__(self):
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 3, 4, 4), nn.BatchNorm2d(3)

        def forward(self, image):
            return self.norm(self.convolution(image if image.sum() > 0 else -image))

    net = net_of(Choosing())
    ready = prepared(net, tile_px=None)
    with torch.inference_mode():
        assert torch.equal(ready(image_of(32, 32)), net(image_of(32, 32)))


def test_what_is_asked_for_is_what_one_gets():
    net = net_of(small())
    assert isinstance(prepared(net), TiledNet)
    assert len(norms(prepared(net, fold=False))) == len(norms(net))
    with pytest.raises(ValueError, match="enlarge tile_px"):
        prepared(net, tile_px=256, margin_px=128)


def test_without_a_compiler_one_line_says_so(monkeypatch, caplog):
    def compile(function):
        def broken(*_):
            raise RuntimeError("InvalidCxxCompiler: no compiler\nmore lines")

        return broken

    monkeypatch.setattr(torch, "compile", compile)
    net = net_of(small())
    with caplog.at_level(logging.WARNING), torch.inference_mode():
        ready = prepared(net, compile=True, tile_px=None)
        torch.testing.assert_close(ready(image_of(32, 32)), net(image_of(32, 32)), rtol=0, atol=1e-4)
    assert [record.message for record in caplog.records] == [
        "inference.compile: torch.compile does not work here, so nothing is compiled (InvalidCxxCompiler: no compiler)"
    ]


@pytest.mark.slow
def test_compiled_it_gives_the_same_logits():
    if not inference._there_is_a_compiler(torch.device("cpu")):
        pytest.skip("no compiler on this machine")
    net = net_of(small())
    with torch.inference_mode():
        ready = prepared(net, compile=True, tile_px=None)
        torch.testing.assert_close(ready(image_of(64, 96)), net(image_of(64, 96)), rtol=0, atol=1e-4)


def test_under_autocast_the_head_keeps_its_precision():
    net = net_of(small())
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(image_of(64, 64))
    assert logits.dtype == torch.float32
    with torch.inference_mode():
        exact = net(image_of(64, 64))
    assert 0 < (logits - exact).abs().max() < 0.1 * exact.std()
