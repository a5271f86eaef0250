"""Networks that map an image to heatmap logits."""

from carcinosis_loc.models.hrnet import HRNet
from carcinosis_loc.models.inference import prepared
from carcinosis_loc.models.net import Backbone, HeatmapNet
from carcinosis_loc.models.tiles import TiledNet
from carcinosis_loc.models.views import ManyViews, check_views
from carcinosis_loc.models.weights import WeightReport, load_weights, read_checkpoint

__all__ = [
    "Backbone",
    "HRNet",
    "HeatmapNet",
    "ManyViews",
    "TiledNet",
    "WeightReport",
    "check_views",
    "load_weights",
    "prepared",
    "read_checkpoint",
]
