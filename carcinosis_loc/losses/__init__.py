"""Losses on heatmap logits with soft targets; each a function of cells and a module."""

from carcinosis_loc.losses.base import HeatmapLoss
from carcinosis_loc.losses.crag_and_tail import CragAndTail, crag_and_tail
from carcinosis_loc.losses.hill import Hill, hill_negative, hill_positive
from carcinosis_loc.losses.mse import HeatmapMSE, mse
from carcinosis_loc.losses.weighted_bce import WeightedBCE, weighted_bce

__all__ = [
    "CragAndTail",
    "HeatmapLoss",
    "HeatmapMSE",
    "Hill",
    "WeightedBCE",
    "crag_and_tail",
    "hill_negative",
    "hill_positive",
    "mse",
    "weighted_bce",
]
