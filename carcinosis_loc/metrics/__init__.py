"""Metrics of predicted points: gated maximum matching, F1 and its curve, and what sparse labels can support."""

from carcinosis_loc.metrics.calibration import Calibration, calibrate
from carcinosis_loc.metrics.curves import Curve
from carcinosis_loc.metrics.estimates import estimated_objects, recall_beyond_chance
from carcinosis_loc.metrics.identity import IdentityScores, Sightings, identity_scores
from carcinosis_loc.metrics.matching import candidate_pairs, closest_matching, match_curve, maximum_matching
from carcinosis_loc.metrics.per_image import ImageRow, per_image
from carcinosis_loc.metrics.point_f1 import PointF1
from carcinosis_loc.metrics.sparse import SparsePointMetrics

__all__ = [
    "Calibration",
    "Curve",
    "IdentityScores",
    "ImageRow",
    "PointF1",
    "Sightings",
    "SparsePointMetrics",
    "calibrate",
    "candidate_pairs",
    "closest_matching",
    "estimated_objects",
    "identity_scores",
    "match_curve",
    "maximum_matching",
    "per_image",
    "recall_beyond_chance",
]
