"""Video in and out, through PyAV: frames with their times, whatever the container; MP4 out of pictures. No torch."""

from carcinosis_loc.video.opening import Video, find_video, is_video_name, probe
from carcinosis_loc.video.rate import FrameRate
from carcinosis_loc.video.reading import Outcome, VideoFrame, VideoReader
from carcinosis_loc.video.writing import Mp4Segment, VideoWriter, join_segments

__all__ = [
    "FrameRate",
    "Mp4Segment",
    "Outcome",
    "Video",
    "VideoFrame",
    "VideoReader",
    "VideoWriter",
    "find_video",
    "is_video_name",
    "join_segments",
    "probe",
]
