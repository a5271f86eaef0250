"""How the page calls frames, videos and moments."""

import numpy as np

from carcinosis_loc.report.frames import Findings, Video
from carcinosis_loc.report.times import clock, decimals_between


class Labels:
    """By name and time, or by number where names are to be left out.

    Times have as many decimals as tell the frames of their video apart.
    """

    def __init__(self, findings: Findings, anonymize: bool) -> None:
        self._findings = findings
        self._anonymize = anonymize
        self._numbers = {video.name: number for number, video in enumerate(findings.videos, 1)}
        times = findings.frames.time_s
        self._decimals = {video.name: decimals_between(times[video.frames]) for video in findings.videos}
        names = [self.video(video) for video in findings.videos]
        source = findings.provenance.get("source") if not anonymize else None
        n_images = len(findings.images)
        self.title = source or (names[0] if len(names) == 1 and not n_images else None) or "Findings"

    def video(self, video: Video) -> str:
        """Such as ``b.mp4``, or ``video 2``."""
        return f"video {self._numbers[video.name]}" if self._anonymize else video.name

    def length(self, video: Video) -> str:
        """How long it is, or how much of it was read."""
        return clock(video.duration_s, self._decimals[video.name])

    def of(self, frame: int) -> str:
        """Such as ``12:31`` (one video), ``b.mp4, 12:31.4`` (several) or ``a.png`` (an image)."""
        frames = self._findings.frames
        time_s, name = frames.time_s[frame], frames.name[frame]
        if np.isnan(time_s):
            return f"image {frames.image_id[frame]}" if self._anonymize else name
        at = clock(time_s, self._decimals[name])
        if len(self._numbers) == 1:
            return at
        return f"video {self._numbers[name]}, {at}" if self._anonymize else f"{name}, {at}"
