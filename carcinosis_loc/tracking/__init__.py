"""Points linked over the frames of a video."""

from carcinosis_loc.tracking.tracker import PointTracker
from carcinosis_loc.tracking.tracks import MIN_SEEN_SHARE, MIN_SIGHTINGS, Track, count_unique

__all__ = ["MIN_SEEN_SHARE", "MIN_SIGHTINGS", "PointTracker", "Track", "count_unique"]
