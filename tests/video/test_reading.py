import io
import re
from itertools import pairwise

import av
import numpy as np
import pytest
from clips import SIZE, pictures, write_clip, write_sound

from carcinosis_loc.errors import InputError
from carcinosis_loc.video import FrameRate, VideoReader, find_video, probe


def read(path, every_nth=1, per_second=None, after=-1):
    reader = VideoReader(probe(str(path), path.name), FrameRate(every_nth, per_second), after)
    frames = list(reader)
    return frames, reader.outcome


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx")],
)
def test_every_frame_of_any_container_with_its_time(tmp_path, name, codec):
    frames, outcome = read(write_clip(tmp_path / name, pictures(30), codec=codec, fps=10))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(30)], abs=1e-3)
    for frame, picture in zip(frames, pictures(30), strict=True):
        assert frame.image.shape == (*SIZE, 3)
        assert np.abs(frame.image.astype(int) - picture).mean() < 8
    assert (outcome.n_frames_read, outcome.complete, outcome.broke_off) == (30, True, None)
    assert outcome.duration_s == pytest.approx(3, abs=0.01)


def test_a_variable_frame_rate_is_kept(tmp_path):
    times_s = np.cumsum([0, 0.04, 0.5, 0.033, 1.2, 0.01, 0.3]).tolist()
    frames, _ = read(write_clip(tmp_path / "a.mkv", pictures(7), times_s))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-3)
    frames, _ = read(tmp_path / "a.mkv", per_second=2)  # the first at or after 0, 0.5, 1 (and 1.5) s
    assert [frame.index for frame in frames] == [0, 2, 4, 6]


def test_every_nth_frame(tmp_path):
    path = write_clip(tmp_path / "a.mp4", pictures(20))
    frames, outcome = read(path, every_nth=7)
    assert [frame.index for frame in frames] == [0, 7, 14]
    assert (outcome.n_frames_read, outcome.every_nth, outcome.per_second) == (20, 7, None)
    assert len(read(path, per_second=1000)[0]) == 20


def test_going_on_gives_the_same_frames(tmp_path):
    path = write_clip(tmp_path / "a.mp4", pictures(40))
    whole, outcome = read(path, per_second=8)
    rest, outcome_of_rest = read(path, per_second=8, after=whole[4].index)
    assert [frame.index for frame in rest] == [frame.index for frame in whole[5:]]
    assert all((a.image == b.image).all() for a, b in zip(rest, whole[5:], strict=True))
    assert outcome == outcome_of_rest


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_turned_video_is_upright(tmp_path, degrees, turns):
    """The display matrix turns counterclockwise, as NumPy does."""
    frames, _ = read(write_clip(tmp_path / "a.mp4", pictures(3), turned=degrees))
    upright = np.rot90(next(pictures(1)), turns)
    assert frames[0].image.shape == upright.shape
    assert np.abs(frames[0].image.astype(int) - upright).mean() < 8


def test_audio_is_not_read(tmp_path):
    frames, outcome = read(write_clip(tmp_path / "a.mp4", pictures(5), audio=True))
    assert (len(frames), outcome.complete) == (5, True)


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_video_that_is_cut_off_gives_what_is_left_and_says_where(tmp_path, name):
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    path = cut(write_clip(tmp_path / name, pictures(100), **options), 0.6)
    frames, outcome = read(path)
    assert 40 < len(frames) < 80
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert not outcome.complete
    assert re.search(rf"at frame {outcome.n_frames_read}|at frame \d+, .*damaged", outcome.broke_off)
    assert "of the 4.00 s that its header says" in outcome.broke_off


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path):
    path = write_clip(tmp_path / "a.mp4", pictures(100), g="10")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(0).integers(0, 255, 2000, np.uint8).tobytes()
    path.write_bytes(data)
    frames, outcome = read(path)
    assert 50 < len(frames) < 100
    assert frames[-1].time_s == pytest.approx(3.96)
    assert not outcome.complete
    where = re.match(r"at frame (\d+), ([\d.]+) s: ", outcome.broke_off)
    assert 30 < int(where[1]) < 70
    assert float(where[2]) == pytest.approx(int(where[1]) / 25, abs=0.05)
    assert outcome.broke_off.endswith(f"; frames lost: {100 - len(frames)}")


def test_a_frame_that_changes_size_is_read_in_its_own(tmp_path):
    """Two H.264 streams one after the other, as a recorder that is switched to another input leaves them."""
    for name, size in (("a", (64, 96)), ("b", (96, 64))):
        write_clip(tmp_path / f"{name}.h264", pictures(6, size))
    both = tmp_path / "both.h264"
    both.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    frames, _ = read(both)
    assert [frame.image.shape[:2] for frame in frames] == [(64, 96)] * 6 + [(96, 64)] * 6
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_bytes(b"no video at all" * 100), "cannot be read as a video"),
        (lambda path: cut(write_clip(path, pictures(50)), 0.6), "lacks its index"),
        (lambda path: write_sound(path.with_suffix(".wav")).rename(path), "no video stream, only audio"),
    ],
)
def test_what_is_no_video_is_said_in_one_line(tmp_path, make, said):
    path = tmp_path / "a.mp4"
    make(path)
    with pytest.raises(InputError, match=said) as error:
        find_video(str(path))
    assert "a.mp4" in str(error.value)


def test_zero_frames(tmp_path):
    """A header that announces a video, and nothing behind it."""
    whole = write_clip(tmp_path / "a.mkv", pictures(5)).read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: whole.index(b"\x1f\x43\xb6\x75") + 12])  # the first cluster has no content
    with pytest.raises(InputError, match="not one frame"):
        find_video(str(tmp_path / "b.mkv"))


def test_a_video_is_known_by_its_content(tmp_path):
    path = write_clip(tmp_path / "a.mkv", pictures(3)).rename(tmp_path / "recording")
    assert find_video(str(path)).file_name == "recording"
    (tmp_path / "notes").write_text("hello")
    assert find_video(str(tmp_path / "notes")) is None


def test_a_playlist_reaches_no_other_file(tmp_path):
    """Nothing is fetched because a file says so."""
    write_clip(tmp_path / "secret.ts", pictures(3))
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "a.mp4").write_text(playlist)
    with pytest.raises(InputError):
        find_video(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("wrong", [{"every_nth": 0}, {"per_second": 0.0}, {"per_second": -1.0}, {"per_second": 1e400}])
def test_a_rate_without_sense_is_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        FrameRate(**wrong)
    with pytest.raises(InputError, match="one of the two"):
        FrameRate(2, 3.0)


def test_times_that_jump_back_are_made_to_rise(tmp_path):
    raw = io.BytesIO()
    with av.open(raw, "w", format="h264") as out:  # an elementary stream has no times at all
        stream = out.add_stream("libx264", rate=10)
        stream.height, stream.width = SIZE
        for picture in pictures(8):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    (tmp_path / "a.h264").write_bytes(raw.getvalue())
    frames, _ = read(tmp_path / "a.h264")
    assert len(frames) == 8
    assert np.diff([frame.time_s for frame in frames]).min() > 0
