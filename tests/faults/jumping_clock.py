"""A clock that jumps by a month, forth and back, each time that anyone asks."""

import time

import tqdm.std


def jump():
    """Let this process's clock jump from now on."""
    real, calls = time.time, [0]

    def jumping():
        calls[0] += 1
        return real() + (-1) ** calls[0] * 3e6 * (calls[0] % 7)

    time.time = tqdm.std.time = jumping
