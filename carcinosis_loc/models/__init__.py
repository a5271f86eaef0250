"""Networks that map an image to heatmap logits."""

from carcinosis_loc.models.hrnet import HRNet
from carcinosis_loc.models.inference import Ready, looking, prepared
from carcinosis_loc.models.net import Backbone, HeatmapNet
from carcinosis_loc.models.scales import ManyScales
from carcinosis_loc.models.tiles import TiledNet
from carcinosis_loc.models.views import ManyViews
from carcinosis_loc.models.weights import WeightReport, load_weights, read_checkpoint

__all__ = [
    "Backbone",
    "HRNet",
    "HeatmapNet",
    "ManyScales",
    "ManyViews",
    "Ready",
    "TiledNet",
    "WeightReport",
    "load_weights",
    "looking",
    "prepared",
    "read_checkpoint",
]
