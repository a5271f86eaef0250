"""What several processes hold, together."""

from typing import Any, TypeVar

import torch.distributed as dist

Item = TypeVar("Item")


def from_all_processes(items: list[Item]) -> list[Item]:
    """The items of all processes, on each of them; with one process its own. They are pickled, so keep them small."""
    if not (dist.is_available() and dist.is_initialized()):
        return items
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, items)
    return [item for share in gathered for item in share]
