"""How a network looks at an image: from how many sides, and how much enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass

_VIEWS = (1, 2, 4, 8)
_LARGEST = 4.0
_MOST = 8


@dataclass(frozen=True)
class Look:
    """How often, and in what ways, a network sees an image; the mean of its logits is taken.

    Attributes:
        views: from how many sides, 1, 2, 4 or 8; see ``ManyViews``.
        scales: enlarged by which factors, 8 at most, from 1/4 to 4; 1.0 is the image as it is. See ``ManyScales``.

    Raises:
        ValueError: another number of views; no factors, or none that an image can be enlarged by.
    """

    views: int = 1
    scales: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        if type(self.views) is not int or self.views not in _VIEWS:
            raise ValueError(f"views must be 1, 2, 4 or 8, not {self.views!r:.20}")
        object.__setattr__(self, "scales", _checked(self.scales))

    def but(self, views: int | None = None, scales: Sequence[float] | None = None) -> "Look":
        """Another one, where something is given."""
        return Look(self.views if views is None else views, self.scales if scales is None else scales)

    @property
    def options(self) -> str:
        """As words of a command line."""
        return f"--inference.views {self.views} --inference.scales [{','.join(map(str, self.scales))}]"

    def __str__(self) -> str:
        sides = f"from {self.views} side{'' if self.views == 1 else 's'}"
        scales = ", ".join(f"{scale:g}" for scale in self.scales)
        return sides if self.scales == (1.0,) else f"{sides} at scale{'' if len(self.scales) == 1 else 's'} {scales}"


def _checked(scales: object) -> tuple[float, ...]:
    """As plain numbers, each once, from the smallest up: the mean knows no order."""
    numbers = list(scales) if isinstance(scales, list | tuple) else []
    if not numbers or any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise ValueError(f"scales must be numbers such as [1.0, 1.5], not {scales!r:.40}")
    if len(numbers) > _MOST:
        raise ValueError(f"scales must be {_MOST} at most, not {len(numbers)}")
    if not all(1 / _LARGEST <= number <= _LARGEST for number in numbers):
        raise ValueError(f"scales must lie between {1 / _LARGEST:g} and {_LARGEST:g}, not {scales!r:.40}")
    return tuple(sorted({float(number) for number in numbers}))


ONCE = Look()  # the image as it is, and nothing else
