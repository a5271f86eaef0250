"""A network made ready for inference: the same logits, sooner, and in bounded memory."""

import copy
import logging
from collections import Counter
from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.models.net import HeatmapNet
from carcinosis_loc.models.scales import ManyScales
from carcinosis_loc.models.tiles import TiledNet
from carcinosis_loc.models.views import ManyViews

logger = logging.getLogger(__name__)


Ready = ManyViews | ManyScales | TiledNet | HeatmapNet


def folded(net: HeatmapNet) -> HeatmapNet:
    """A copy in evaluation mode whose batch norms are part of the convolutions before them.

    The logits stay within rounding. A batch norm that follows no convolution stays; so do all of them in a backbone
    that ``torch.fx`` cannot trace.
    """
    net = copy.deepcopy(net).eval()
    for convolution, norm in list(_convolutions_with_norms(net.backbone)):
        before, after = net.backbone.get_submodule(convolution), net.backbone.get_submodule(norm)
        assert isinstance(before, nn.Conv2d)
        assert isinstance(after, _BatchNorm)
        net.backbone.set_submodule(convolution, fuse_conv_bn_eval(before, after))
        net.backbone.set_submodule(norm, nn.Identity())
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _convolutions_with_norms(backbone: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of convolutions whose output goes to one batch norm and nowhere else, with the names of these."""
    try:
        graph = fx.symbolic_trace(backbone).graph
    except Exception as error:  # whatever a backbone of one's own does that cannot be traced
        logger.debug("batch norms stay as they are: the backbone cannot be traced (%s)", error)
        return
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(node.target for node in calls)
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        norm, convolution = (backbone.get_submodule(str(one.target)) for one in (node, before))
        fits = isinstance(norm, _BatchNorm) and norm.running_mean is not None and isinstance(convolution, nn.Conv2d)
        if fits and times[node.target] == times[before.target] == 1:
            yield str(before.target), str(node.target)


def prepared(
    net: HeatmapNet,
    fold: bool = True,
    compile: bool = False,
    tile_px: int | None = 2048,
    margin_px: int = 256,
    look: Look = ONCE,
) -> Ready:
    """A copy for inference; ``net`` itself stays as it is.

    Args:
        net: the trained network.
        fold: make batch norms part of the convolutions before them.
        compile: compile it (``torch.compile``) at the first image of each size, where there is a compiler.
        tile_px: longest side that the network sees at once, network pixels; None for any.
        margin_px: context around what is taken of a tile, network pixels.
        look: how it looks at each image.

    Raises:
        ValueError: see ``TiledNet``.
    """
    ready = folded(net) if fold else copy.deepcopy(net).eval()
    if compile and _there_is_a_compiler(net.mean.device):
        ready.compile()
    return looking(ready if tile_px is None else TiledNet(ready, tile_px, margin_px), look)


def looking(net: HeatmapNet | TiledNet, look: Look) -> Ready:
    """The network itself, looking at each image in this way."""
    at_scales = net if look.scales == ONCE.scales else ManyScales(net, look.scales)
    return at_scales if look.views == ONCE.views else ManyViews(at_scales, look.views)


def _there_is_a_compiler(device: torch.device) -> bool:
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.zeros(2, device=device))
    except Exception as error:  # of many kinds: no C++ compiler, no Triton, an unknown device
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        logger.warning("inference.compile: torch.compile does not work here, so nothing is compiled (%.160s)", reason)
        return False
    return True
