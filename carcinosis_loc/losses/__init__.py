"""Losses on heatmap logits with soft targets; each a function and a module."""

from carcinosis_loc.losses.base import CellLoss, HeatmapLoss
from carcinosis_loc.losses.count_term import GEBinomial, expected_count_term
from carcinosis_loc.losses.crag_and_tail import CragAndTail, crag_and_tail
from carcinosis_loc.losses.exclusive import ExclusiveCrossEntropy, exclusive_cross_entropy
from carcinosis_loc.losses.focal import Focal, focal
from carcinosis_loc.losses.hill import Hill, hill_negative, hill_positive
from carcinosis_loc.losses.mse import HeatmapMSE, mse
from carcinosis_loc.losses.peak_correction import PeakCorrection, corrected_target
from carcinosis_loc.losses.point_process import PointProcess, where_labels_fall
from carcinosis_loc.losses.positive_unlabelled import NonNegativePU, positive_unlabelled_risk
from carcinosis_loc.losses.weighted_bce import WeightedBCE, weighted_bce

__all__ = [
    "CellLoss",
    "CragAndTail",
    "ExclusiveCrossEntropy",
    "Focal",
    "GEBinomial",
    "HeatmapLoss",
    "HeatmapMSE",
    "Hill",
    "NonNegativePU",
    "PeakCorrection",
    "PointProcess",
    "WeightedBCE",
    "corrected_target",
    "crag_and_tail",
    "exclusive_cross_entropy",
    "expected_count_term",
    "focal",
    "hill_negative",
    "hill_positive",
    "mse",
    "positive_unlabelled_risk",
    "weighted_bce",
    "where_labels_fall",
]
