"""A video that comes through a pipe: read once, from front to back, with a wait that can be ended."""

import os
import select
import threading
import time

_HEAD_BYTES = 2**16  # what lies before pictures or index is far smaller
_BEFORE = {b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin"}  # boxes of MP4 and MOV that may come first


class StoppedStream(Exception):
    """A live stream was stopped, or gives nothing any more."""


class IndexBehind(Exception):
    """An MP4 that says where its pictures lie after they have passed."""


class Piped:
    """A pipe as PyAV reads it; a wait that can be ended.

    Args:
        handle: file descriptor.
        stop: ends the stream.
        patience_s: how long it may give nothing, seconds.
    """

    def __init__(self, handle: int, stop: threading.Event, patience_s: float) -> None:
        self._handle, self._stop, self._patience_s = handle, stop, patience_s
        self._head = b""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end of the stream, and when it is to end: an error would be printed.

        Raises:
            StoppedStream: nothing came at all, or for too long.
            IndexBehind: it is an MP4 that cannot be read so.
        """
        began = time.monotonic()
        while not self._stop.is_set():
            if select.select([self._handle], [], [], 0.2)[0]:
                data = os.read(self._handle, size)
                if not data and not self._head:
                    raise StoppedStream("it ended before anything came: look at what writes into it")
                return self._looked_at(data)
            if time.monotonic() - began > self._patience_s:
                raise StoppedStream(f"nothing came for {self._patience_s:.0f} s")
        return b""

    def _looked_at(self, data: bytes) -> bytes:
        if len(self._head) < _HEAD_BYTES:
            self._head += data[:_HEAD_BYTES]
            if index_lies_behind(self._head):
                raise IndexBehind
        return data


def index_lies_behind(head: bytes) -> bool:
    """Whether a file that begins so is an MP4 or MOV whose pictures (``mdat``) come before their index (``moov``)."""
    at = 0
    while len(head) >= at + 8:
        size, kind = int.from_bytes(head[at : at + 4]), head[at + 4 : at + 8]
        if kind not in _BEFORE or size < 8:
            return kind == b"mdat"
        at += size
    return False
