"""``PredictionFiles`` on videos, stopped and gone on with; and long ones."""

import multiprocessing
import os
import signal

import pytest
from bright import bright_module
from clips import pictures, write_clip
from video_runs import broken_off, files_of, json_of, predict, rows_of

from carcinosis_loc.data import stream
from carcinosis_loc.errors import InputError
from carcinosis_loc.look import Look
from carcinosis_loc.writers.overlays import OverlayVideos


def test_killed_and_resumed_is_as_if_never_stopped(tmp_path, monkeypatch):
    """SIGKILL in mid-way, then a fault while the files are finished, then to the end."""
    monkeypatch.setattr(stream, "CHUNK", 6)
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clip(source / name, pictures(16), fps=10)
    options = {"heatmaps": True, "density": True}
    whole = files_of(predict(source, tmp_path / "whole", **options))
    root, drawn, draw = tmp_path / "killed", [], OverlayVideos.frame

    def die(writer, found):
        draw(writer, found)
        if found.frame.image_id == 21:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(OverlayVideos, "frame", die)
    child = multiprocessing.get_context("fork").Process(target=predict, args=(source, root), kwargs=options)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert [path.name for path in root.iterdir()] == [".predictions.part"]
    monkeypatch.setattr(OverlayVideos, "frame", lambda writer, found: (drawn.append(found), draw(writer, found)))
    with monkeypatch.context() as patch:
        patch.setattr(OverlayVideos, "finish", lambda writer: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict(source, root, **options)
    assert [found.frame.image_id for found in drawn] == list(range(17, 33))  # the first video's three chunks are kept
    assert files_of(predict(source, root, **options)) == whole
    assert len(drawn) == 16
    assert [path.name for path in root.iterdir()] == ["predictions"]


def test_another_command_does_not_go_on(clip, tmp_path, short_chunks, monkeypatch):
    broken_off(clip, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"20 finished frames .* another threshold; .*unfinished drop"):
        predict(clip, tmp_path, bright_module(threshold=0.4))
    with pytest.raises(InputError, match="another sampling;"):
        predict(clip, tmp_path, data={"every_nth": 2})
    looking = bright_module(threshold=0.3)
    looking.look = Look(8)
    with pytest.raises(InputError, match="another views;"):
        predict(clip, tmp_path, looking)
    looking.look = Look(1, (1.0, 2.0))
    with pytest.raises(InputError, match="another scales;"):
        predict(clip, tmp_path, looking)
    folder = predict(clip, tmp_path, bright_module(threshold=0.4), unfinished="drop")
    assert len(json_of(folder, "images")["images"]) == 30
    assert json_of(folder, "provenance")["threshold"] == 0.4


@pytest.mark.parametrize("kind", ["frames", "ended", "state", "identity"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b'{"n_frames": 20}'])
def test_damage_of_what_is_finished_is_one_line(kind, content, clip, tmp_path, short_chunks, monkeypatch):
    broken_off(clip, tmp_path, monkeypatch)
    journal = tmp_path / ".predictions.part" / ".journal"
    path = sorted(journal.glob(f"*{kind}.json"))[-1]
    if content is None and kind in ("frames", "ended"):
        path.unlink()
    else:
        path.write_bytes(content or b"")
    with pytest.raises(InputError, match=r"--predictions\.unfinished drop"):
        predict(clip, tmp_path)
    folder = predict(clip, tmp_path, unfinished="drop")
    assert len(json_of(folder, "images")["images"]) == 30


def test_what_is_finished_can_be_kept(clip, tmp_path, short_chunks, monkeypatch):
    with pytest.raises(InputError, match="no unfinished run to keep"):
        predict(clip, tmp_path, unfinished="keep")
    broken_off(clip, tmp_path, monkeypatch, overlays=True)
    folder = predict(clip, tmp_path, unfinished="keep")
    assert len(json_of(folder, "images")["images"]) == 20
    (video,) = json_of(folder, "provenance")["videos"]
    assert (video["complete"], video["n_frames_read"]) == (False, 20)
    assert video["broke_off"].startswith("at frame 19, 1.90 s")
    assert len(rows_of(folder, "tracks")) > 0


def test_nothing_is_kept_of_a_run_that_finished_nothing(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(OverlayVideos, "frame", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(clip, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_limited_run_says_that_it_ended(clip, tmp_path):
    folder = predict(clip, tmp_path, trainer={"limit_predict_batches": 3})
    assert len(json_of(folder, "images")["images"]) == 12
    (video,) = json_of(folder, "provenance")["videos"]
    assert (video["complete"], video["n_frames_read"]) == (False, 12)


def test_several_processes_are_refused(clip, tmp_path):
    with pytest.raises(InputError, match=r"--trainer\.devices 1"):
        stream.stream_loader(None, 2)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path, monkeypatch):
    """Resident memory after 500 frames, when all is warm, and after 3000."""
    psutil = pytest.importorskip("psutil")
    path = write_clip(tmp_path / "long.mkv", pictures(3000))
    megabytes, draw = {}, OverlayVideos.frame

    def watch(writer, found):
        draw(writer, found)
        if found.frame.image_id in (500, 3000):
            megabytes[found.frame.image_id] = psutil.Process().memory_info().rss / 1e6

    monkeypatch.setattr(OverlayVideos, "frame", watch)
    predict(path, tmp_path, tracks=False)
    assert megabytes[3000] - megabytes[500] < 50
