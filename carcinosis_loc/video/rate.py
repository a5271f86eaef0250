"""Which frames of a video are looked at."""

import math

from carcinosis_loc.errors import InputError


class FrameRate:
    """Every n-th frame, or so many a second of the video's own clock.

    Args:
        every_nth: look at the frames 0, n, 2n, …
        per_second: look at the first frame at or after each of the times 0, 1/f, 2/f, … seconds, so that a variable
            frame rate gives as many; a rate above the video's gives every frame. Not together with ``every_nth``.

    Raises:
        InputError: a number below 1, a rate of 0 or less, or both are given.
    """

    def __init__(self, every_nth: int = 1, per_second: float | None = None) -> None:
        if every_nth < 1:
            raise InputError(f"--data.every_nth must be at least 1, not {every_nth}")
        if per_second is not None and (not math.isfinite(per_second) or per_second <= 0):
            raise InputError(f"--data.per_second must be above 0, not {per_second:g}")
        if per_second is not None and every_nth != 1:
            raise InputError("--data.every_nth and --data.per_second: give one of the two")
        self.every_nth = every_nth
        self.per_second = per_second
        self._slot = -1

    def begin(self) -> None:
        """Forget the video before; to be called before each."""
        self._slot = -1

    def wants(self, index: int, time_s: float) -> bool:
        """Whether to look at this frame; to be asked once for each frame, in their order."""
        if self.per_second is None:
            return index % self.every_nth == 0
        slot = math.floor(time_s * self.per_second + 1e-6)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True

    def share(self, fps: float | None) -> float:
        """About how many of a video's frames are looked at, between 0 and 1."""
        if self.per_second is None or not fps:
            return 1 / self.every_nth
        return min(1.0, self.per_second / fps)
