"""Videos through a pipe: what can be read so, what cannot, and what it may not reach."""

import contextlib
import os
import threading

import pytest
from clips import pictures, write_clip

from carcinosis_loc.errors import InputError
from carcinosis_loc.video import FrameRate, VideoReader, find_video, probe
from carcinosis_loc.video.piping import BoxWalk


def test_a_named_pipe_is_read_and_not_waited_for_for_ever(tmp_path):
    pipe, clip = tmp_path / "pipe", write_clip(tmp_path / "a.ts", pictures(30))
    os.mkfifo(pipe)
    video = find_video(str(pipe))
    assert video.live
    with pytest.raises(InputError, match="nothing came for"):
        list(VideoReader(video, FrameRate(1, None), patience_s=0.1))
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    assert len(list(VideoReader(video, FrameRate(1, None)))) == 30
    writer.join()


def piped(path, tmp_path):
    """The video as a pipe gives it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    video = find_video(str(pipe))

    def write():
        with contextlib.suppress(BrokenPipeError):
            pipe.write_bytes(path.read_bytes())

    threading.Thread(target=write, daemon=True).start()
    return VideoReader(video, FrameRate(1, None), patience_s=60)


@pytest.mark.parametrize(
    ("name", "count"),
    [("a.mp4", 5), ("a.mov", 5), ("long.mp4", 300)],  # smaller and larger than what a pipe holds
)
def test_an_mp4_whose_index_lies_at_its_end_cannot_be_piped(tmp_path, name, count):
    path = write_clip(tmp_path / name, pictures(count))
    assert len(list(VideoReader(probe(str(path), name), FrameRate(1, None)))) == count
    with pytest.raises(InputError, match=r"pipe: is an MP4 or MOV .*the file's path.*ffmpeg .*-movflags \+faststart"):
        list(piped(path, tmp_path))


@pytest.mark.parametrize("flags", ["faststart", "frag_keyframe+empty_moov"])
def test_an_mp4_with_its_index_in_front_can_be_piped(tmp_path, flags):
    path = write_clip(tmp_path / "a.mp4", pictures(30), movflags=flags)
    assert len(list(piped(path, tmp_path))) == 30


def test_nothing_on_a_pipe_makes_it_listen_to_the_network(tmp_path):
    """A session description names a port at which the pictures come; libav would open it, and wait there."""
    path = tmp_path / "a.sdp"
    lines = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "c=IN IP4 127.0.0.1", "t=0 0", "m=video 50040 RTP/AVP 96")
    path.write_text("\r\n".join([*lines, "a=rtpmap:96 H264/90000", ""]))
    with pytest.raises(InputError, match="pipe: cannot be read as a video"):
        list(piped(path, tmp_path))


def box(kind, size, long=False):
    if long:
        return (1).to_bytes(4) + kind + size.to_bytes(8) + bytes(min(max(0, size - 16), 99))
    return size.to_bytes(4) + kind + bytes(max(0, size - 8))


@pytest.mark.parametrize(
    ("boxes", "behind"),
    [
        ([], False),
        ([(b"ftyp", 32)], False),
        ([(b"mdat", 9)], True),
        ([(b"ftyp", 32), (b"free", 8), (b"mdat", 0)], True),
        ([(b"ftyp", 32), (b"free", 9000), (b"wide", 8), (b"mdat", 1)], True),
        ([(b"ftyp", 32), (b"moov", 700), (b"mdat", 9)], False),
        ([(b"ftyp", 32), (b"moof", 700), (b"mdat", 9)], False),
        ([(b"ftyp", 32), (b"free", 200_000), (b"styp", 20), (b"mdat", 9)], True),
        ([(b"ftyp", 40, True), (b"free", 16, True), (b"mdat", 2**63, True)], True),
        ([(b"ftyp", 32), (b"free", 2**63, True), (b"mdat", 9)], False),
        ([(b"ftyp", 32), (b"free", 0), (b"mdat", 9)], False),
        ([(b"ftyp", 32), (b"free", 9, True), (b"mdat", 9)], False),
        ([(b"ftyp", 32), (bytes(4), 32), (b"mdat", 9)], False),
        ([(b"ftyp", 3), (b"mdat", 9)], False),
        ([(b"junk", 32), (b"mdat", 9)], False),
    ],
)
def test_where_the_index_lies(boxes, behind):
    data = b"".join(box(*one) for one in boxes)
    assert BoxWalk().index_behind(data) == behind
    for step in (1, 3, 16):  # as a slow writer gives it
        walk = BoxWalk()
        assert any(walk.index_behind(data[at : at + step]) for at in range(0, len(data), step)) == behind
