"""A bar in a terminal, a few lines in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def show_progress(items: Iterable[Item], total: int, what: str, lines: int = 4) -> Iterator[Item]:
    """Pass ``items`` on and show on stdout how far it is; where that is no terminal, print ``lines`` lines."""
    if sys.stdout.isatty():
        yield from tqdm(items, total=total, desc=what, unit="frame", file=sys.stdout, dynamic_ncols=True)
        return
    began = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if done * lines // total > (done - 1) * lines // total:
            took = time.monotonic() - began
            print(f"{what} {100 * done // total:3d}%  {done}/{total} frames in {took:.0f} s", flush=True)
