"""Small videos that tests share: bright spots that drift over noisy red, made with PyAV."""

from fractions import Fraction

import av
import numpy as np
from spots import draw

SIZE = (64, 96)
TICKS = 1000


def pictures(count, size=SIZE, seed=0):
    """Frames with three spots that move a little from one to the next; the first spot's place gives the frame away."""
    random = np.random.default_rng(seed)
    for number in range(count):
        yield draw([(10 + number % 60, 16), (60 - 0.2 * number, 40), (30, 50 - 0.1 * number)], size, random)


def write_clip(path, frames, times_s=None, fps=25, codec="libx264", audio=False, turned=0, **options):
    """Encode RGB pictures; ``times_s`` gives each its own time."""
    frames = list(frames)
    times_s = [number / fps for number in range(len(frames))] if times_s is None else times_s
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS if codec != "mpeg4" else fps)
        if codec == "libx264":
            stream.options = {"crf": "10", "preset": "ultrafast"}
        if turned:
            stream.set_display_rotation(turned)
        sound = out.add_stream("aac", rate=8000) if audio else None
        for picture, time_s in zip(frames, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(time_s / frame.time_base)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            hush = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            hush.sample_rate, hush.pts = 8000, 0
            out.mux(sound.encode(hush))
            out.mux(sound.encode(None))
    return path


def write_sound(path):
    """A file with audio alone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        hush = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        hush.sample_rate, hush.pts = 8000, 0
        out.mux(stream.encode(hush))
        out.mux(stream.encode(None))
    return path
