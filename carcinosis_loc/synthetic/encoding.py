"""Video files out of pictures, by PyAV, nearly without loss."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import atomic_path
from carcinosis_loc.points import Size
from carcinosis_loc.synthetic.camera import Image

_ENCODERS = {"libx264": {"crf": "12", "preset": "fast"}, "mpeg4": {"qscale": "2"}}  # the first that PyAV was built with


class VideoWriter:
    """An MP4 file at a fixed frame rate, there whole or not at all once the ``with`` block is left.

    Args:
        path: of the file.
        size: ``(height, width)``, even numbers.
        fps: frames a second.

    Raises:
        InputError: PyAV is not installed, or the folder cannot be written.
    """

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self.path, self.size, self.fps = path, size, fps

    def __enter__(self) -> "VideoWriter":
        try:
            import av
        except ImportError as error:
            raise InputError("videos need PyAV; pip install av") from error
        with ExitStack() as stack:
            target = stack.enter_context(atomic_path(self.path))
            self._container = stack.enter_context(av.open(str(target), "w", options={"fflags": "+bitexact"}))
            name = next(name for name in _ENCODERS if name in av.codecs_available)
            rate = Fraction(self.fps).limit_denominator(1001)
            stream: Any = self._container.add_stream(name, rate=rate, options=_ENCODERS[name])
            stream.height, stream.width = self.size
            stream.pix_fmt = "yuv420p"
            stream.thread_count = 1  # equal pictures give equal bytes
            self._stream, self._frame = stream, av.VideoFrame
            self._stack = stack.pop_all()
        return self

    def add(self, image: Image) -> None:
        """The next picture, ``(H, W, 3)``, RGB."""
        self._container.mux(self._stream.encode(self._frame.from_ndarray(image, format="rgb24")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._stack.__exit__(kind, error, trace)
