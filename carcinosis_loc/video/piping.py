"""A video that comes through a pipe: read once, from front to back, with a wait that can be ended."""

import os
import select
import threading
import time

_FIRST = {b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin", b"pnot"}  # boxes that an MP4 or MOV may begin with
_INDEX = {b"moov", b"moof"}
_HEADER_BYTES = {False: 8, True: 16}


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
        self._empty, self._boxes = True, BoxWalk()

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
                if not data and self._empty:
                    raise StoppedStream("it ended before anything came: look at what writes into it")
                if self._boxes.index_behind(data):
                    raise IndexBehind
                self._empty = False
                return data
            if time.monotonic() - began > self._patience_s:
                raise StoppedStream(f"nothing came for {self._patience_s:.0f} s")
        return b""


class BoxWalk:
    """Walks over the boxes of an MP4 or MOV as they come, and notes whether its pictures come before its index."""

    def __init__(self) -> None:
        self._header = b""  # of the box that comes next, as far as it is there
        self._skip = 0  # bytes of the present box that are still to come
        self._known = False  # the first box was one of an MP4
        self._over = False

    def index_behind(self, data: bytes) -> bool:
        """Whether, with ``data`` too, pictures (``mdat``) came before the index (``moov``)."""
        at = 0
        while not self._over and at < len(data):
            taken = data[at : at + (self._skip or _HEADER_BYTES[self._long] - len(self._header))]
            at += len(taken)
            if self._skip:
                self._skip -= len(taken)
                continue
            self._header += taken
            if self._header[4:8] == b"mdat" and len(self._header) >= 8:
                return True
            if len(self._header) == _HEADER_BYTES[self._long]:
                self._enter()
        return False

    @property
    def _long(self) -> bool:
        """A size of 1 says that it stands behind the name, in 8 bytes."""
        return self._header[:4] == b"\0\0\0\1"

    def _enter(self) -> None:
        size = int.from_bytes(self._header[8:] if self._long else self._header[:4])
        kind, self._skip = self._header[4:8], size - len(self._header)
        self._over = self._skip < 0 or kind in _INDEX or not (kind in _FIRST if not self._known else kind.isalnum())
        self._known, self._header = True, b""
