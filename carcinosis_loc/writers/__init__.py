"""What ``carcloc predict`` writes: one class a kind of file, all of one interface."""

from carcinosis_loc.writers.base import About, Found, PredictionWriter, VideoEnd
from carcinosis_loc.writers.coco import CocoResults
from carcinosis_loc.writers.heatmaps import Heatmaps
from carcinosis_loc.writers.journal import Journal, undamaged
from carcinosis_loc.writers.key_frames import KeyFrames
from carcinosis_loc.writers.overlays import OverlayPictures, OverlayVideos
from carcinosis_loc.writers.provenance import Provenance, sha256
from carcinosis_loc.writers.session import PredictionSession
from carcinosis_loc.writers.tables import DensityTable, ParquetTable, PointTable, TrackTable

__all__ = [
    "About",
    "CocoResults",
    "DensityTable",
    "Found",
    "Heatmaps",
    "Journal",
    "KeyFrames",
    "OverlayPictures",
    "OverlayVideos",
    "ParquetTable",
    "PointTable",
    "PredictionSession",
    "PredictionWriter",
    "Provenance",
    "TrackTable",
    "VideoEnd",
    "sha256",
    "undamaged",
]
