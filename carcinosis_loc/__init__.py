"""Dense localization of carcinosis from sparse point labels."""

import os
from typing import TYPE_CHECKING, Any

# A library that phones home when it is imported does not, here: a hospital's machine stays silent.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

if TYPE_CHECKING:
    from carcinosis_loc.localizer import Localizer, load

__all__ = ["Localizer", "load"]


def __getattr__(name: str) -> Any:
    """Load torch only for those who ask for what needs it; ``carcloc --help`` must be quick."""
    if name in __all__:
        from carcinosis_loc import localizer

        return getattr(localizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
