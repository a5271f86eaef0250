"""Where the camera is: key frames with their places on a map, so that a view seen before is known again."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Size
from carcinosis_loc.tracking.similarity import STILL, Float64, Motion, Similarity
from carcinosis_loc.tracking.view import View, motion_by_features, motion_by_flow

_CHECK_AFTER = 0.15  # of the shorter side: so far the view may move before it is compared with key frames
_ENOUGH_OVERLAP = 0.4  # with a key frame that is worth a comparison
_LITTLE_OVERLAP = 0.55  # with all key frames: time for a new one
_TRIES = 2  # comparisons of a moving view with its own map, and as many with other maps
_TRIES_WHEN_LOST = 40


@dataclass(eq=False)
class KeyFrame:
    """A view to come back to.

    Attributes:
        number: from 1 up.
        map_number: key frames of one map have known places relative to each other.
        place: from its image pixels to the map.
        size: ``(height, width)``, image pixels.
        features: see ``View.features``.
        visited: when it was last compared with success, in looked-at frames.
    """

    number: int
    map_number: int
    place: Similarity
    size: Size
    features: tuple[Float64, npt.NDArray[np.float32]]
    visited: int


@dataclass(eq=False)
class Atlas:
    """Follows the camera from frame to frame and among at most ``max_key_frames`` key frames.

    Attributes:
        max_key_frames: the one that was visited longest ago is forgotten for a new one.
        key_frames: by number.
        before: the last view.
        current: number of the key frame that the view is placed by; 0 before there is any.
        pose: from that key frame's pixels to the view's.
        recognised: whether the last view was found to show an older key frame.
        clock: looked-at frames so far.
    """

    max_key_frames: int
    key_frames: dict[int, KeyFrame] = field(default_factory=dict)
    before: View | None = None
    current: int = 0
    pose: Similarity = field(default_factory=Similarity)
    moved: Similarity = field(default_factory=Similarity)
    recognised: bool = False
    clock: int = 0
    n_made: int = 0
    next_try: int = 0

    def follow(self, view: View) -> Motion | None:
        """Take the next view; the motion from the view before, or None where that is unknown (a cut).

        A blind view (black, white, blurred) is taken to have stood still; the next one that sees is looked up
        among the key frames.
        """
        before, self.before = self.before, view
        self.recognised = False
        self.clock += 1
        if view.blind:
            return STILL
        step = None
        if before is not None and not before.blind and self.current:
            step = motion_by_flow(before, view)
            if step is None:
                step = motion_by_features(before.features, view.features, view.tolerance_px)
        if step is None:
            return self._find(view)
        self.pose = step.whole.after(self.pose)
        self.moved = step.whole.after(self.moved)
        if _shift_px(self.moved, view.size) > _CHECK_AFTER * min(view.size):
            self._check(view)
        return step

    def to_frame(self, number: int) -> Similarity | None:
        """From the pixels of a key frame to those of the last view; None if their relative place is unknown."""
        key_frame, current = self.key_frames.get(number), self.key_frames.get(self.current)
        if key_frame is None or current is None or key_frame.map_number != current.map_number:
            return None
        return self.pose.after(current.place.inverse()).after(key_frame.place)

    def _find(self, view: View) -> Motion | None:
        """Look the view up among the key frames, the latest first; open a new map if it is in none."""
        order = sorted(self.key_frames.values(), key=lambda key_frame: (-key_frame.visited, -key_frame.number))
        for key_frame in order[:_TRIES_WHEN_LOST]:
            pose = motion_by_features(key_frame.features, view.features, view.tolerance_px)
            if pose is not None:
                known = self.to_frame(key_frame.number)
                self._settle(key_frame, pose.whole)
                return None if known is None else replace(STILL, whole=pose.whole.after(known.inverse()))
        map_number = 1 + max((key_frame.map_number for key_frame in self.key_frames.values()), default=0)
        self._add(view, map_number, Similarity())
        return None

    def _check(self, view: View) -> None:
        """Compare the view with key frames that it should show, then with some of other maps."""
        self.moved = Similarity()
        own = self.key_frames[self.current].map_number
        overlaps = {}
        for number in self.key_frames:
            motion = self.to_frame(number)
            if motion is not None:
                overlaps[number] = overlap(motion, self.key_frames[number].size, view.size)
        likely = sorted(
            (n for n, share in overlaps.items() if share > _ENOUGH_OVERLAP), key=lambda n: (-overlaps[n], n)
        )
        for number in sorted(likely, key=lambda number: (-overlaps[number], number))[:_TRIES]:
            if self._compare(view, self.key_frames[number]):
                break
        others = [key_frame for key_frame in self.key_frames.values() if key_frame.map_number != own]
        for _ in range(min(_TRIES, len(others))):
            self.next_try += 1
            if self._compare(view, others[self.next_try % len(others)]):
                return
        if max(overlaps.values()) < _LITTLE_OVERLAP:
            self._add(view, own, self.key_frames[self.current].place.after(self.pose.inverse()))

    def _compare(self, view: View, key_frame: KeyFrame) -> bool:
        """Place the view by a key frame if it shows it; joins its map to that of the current one where they differ."""
        pose = motion_by_features(key_frame.features, view.features, view.tolerance_px)
        if pose is None:
            return False
        current = self.key_frames[self.current]
        left = current.map_number
        if left != key_frame.map_number:
            join = key_frame.place.after(pose.whole.inverse()).after(self.pose).after(current.place.inverse())
            for other in self.key_frames.values():
                if other.map_number == left:
                    other.place, other.map_number = join.after(other.place), key_frame.map_number
        self._settle(key_frame, pose.whole)
        return True

    def _settle(self, key_frame: KeyFrame, pose: Similarity) -> None:
        self.recognised = key_frame.number != self.current
        self.current, self.pose, self.moved = key_frame.number, pose, Similarity()
        key_frame.visited = self.clock

    def _add(self, view: View, map_number: int, place: Similarity) -> None:
        if len(self.key_frames) >= self.max_key_frames:
            oldest = min(self.key_frames.values(), key=lambda key_frame: (key_frame.visited, key_frame.number))
            del self.key_frames[oldest.number]
        self.n_made += 1
        made = KeyFrame(self.n_made, map_number, place, view.size, view.features, self.clock)
        self.key_frames[made.number] = made
        self._settle(made, Similarity())
        self.recognised = False


def overlap(motion: Similarity, before: Size, now: Size) -> float:
    """Share of a picture that is still in view after ``motion``, or of the view that it fills: the smaller one."""
    return min(_share(motion, before, now), _share(motion.inverse(), now, before))


def _share(motion: Similarity, before: Size, now: Size) -> float:
    x, y = np.meshgrid(np.linspace(0, before[1] - 1, 9), np.linspace(0, before[0] - 1, 9))
    xy = motion(np.stack([x.ravel(), y.ravel()], axis=1))
    return float(((xy >= -0.5) & (xy <= np.array(now[::-1]) - 0.5)).all(1).mean())


def _shift_px(motion: Similarity, size: Size) -> float:
    """How far the corners of a picture have moved, in the mean."""
    corners = np.array([[0, 0], [size[1], 0], [0, size[0]], [size[1], size[0]]], np.float64)
    return float(np.hypot(*(motion(corners) - corners).T).mean())
