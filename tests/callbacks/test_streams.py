"""``PredictionFiles`` on what comes in at standard input."""

import logging
import os
import signal
import time

import pytest
from clips import pictures, write_clip
from video_runs import feed, json_of, predict, rows_of

from carcinosis_loc.errors import InputError


def test_a_stream_on_standard_input(predicted, clip, tmp_path, standard_input, caplog):
    path = write_clip(tmp_path / "v.mkv", pictures(30), fps=10)
    feed(standard_input, path.read_bytes(), standard_input.close)
    with caplog.at_level(logging.INFO):
        folder = predict("-", tmp_path / "out")
    assert "stdin: the stream ended after 3.0 s" in caplog.text
    rows = [row | {"file_name": "v.mp4"} for row in rows_of(folder)]
    assert rows == rows_of(predicted)
    assert json_of(folder, "provenance")["source"] == "stdin"
    assert (folder / "overlays" / "stdin.mp4").exists()


@pytest.mark.parametrize("how", ["signal", "silence"])
def test_a_live_stream_that_stops_keeps_what_was_seen(how, tmp_path, standard_input, caplog):
    """Somebody says stop, or nothing comes any more."""
    path = write_clip(tmp_path / "v.ts", pictures(200))
    data = {"patience_s": 300.0 if how == "signal" else 1.0}
    stop = (lambda: (time.sleep(2), os.kill(os.getpid(), signal.SIGINT))) if how == "signal" else (lambda: None)
    feed(standard_input, path.read_bytes(), stop)
    folder = predict("-", tmp_path / "out", data=data, overlays=False, tracks=False)
    (video,) = json_of(folder, "provenance")["videos"]
    assert not video["complete"]
    assert ("stopped" if how == "signal" else "nothing came for 1 s") in video["broke_off"]
    assert len(json_of(folder, "images")["images"]) == video["n_frames_read"] > 100
    assert "what was read is kept" in caplog.text


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "standard input: .* before anything came"), (b"abc" * 999, "standard input: cannot be read")],
)
def test_what_is_no_video_on_standard_input(data, said, tmp_path, standard_input):
    feed(standard_input, data, standard_input.close)
    with pytest.raises(InputError, match=said):
        predict("-", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_stream_whose_header_promised_more_says_where_it_ended(tmp_path, standard_input, caplog):
    data = write_clip(tmp_path / "v.mkv", pictures(60), fps=10).read_bytes()
    feed(standard_input, data[: len(data) // 2], standard_input.close)
    (video,) = json_of(predict("-", tmp_path / "out", overlays=False, tracks=False), "provenance")["videos"]
    assert not video["complete"]
    assert "of the 6.00 s that its header says" in video["broke_off"]
    assert 0 < video["n_frames_read"] < 60
    assert "standard input: broke off at frame" in caplog.text


def test_an_mp4_that_cannot_be_piped_writes_nothing(tmp_path, standard_input):
    feed(standard_input, write_clip(tmp_path / "v.mp4", pictures(5)).read_bytes(), standard_input.close)
    with pytest.raises(InputError, match=r"standard input: is an MP4 .*\+faststart"):
        predict("-", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
