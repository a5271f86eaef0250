"""``PredictionFiles`` on videos, with a network that needs no training."""

import csv
import json
import logging
import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from bright import bright_module, quiet_trainer
from clips import SIZE, pictures, write_clip

from carcinosis_loc.callbacks.predictions import PredictionFiles
from carcinosis_loc.data import PointDataModule, stream
from carcinosis_loc.errors import InputError
from carcinosis_loc.writers.overlays import OverlayVideos


def predict(source, root, module=None, data=None, trainer=None, **options):
    datamodule = PointDataModule(predict_source=str(source), batch_size=4, num_workers=0, **(data or {}))
    datamodule.check("predict")
    callback = PredictionFiles(**options)
    quiet_trainer(root, callback, **(trainer or {})).predict(module or bright_module(threshold=0.3), datamodule)
    return root / "predictions"


def json_of(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def rows_of(folder, name="points"):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder):
    """All files by their bytes; when a run was is none of its results."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    origin = json.loads(files.pop("provenance.json"))
    origin.pop("created")
    return files | {"provenance": origin}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", pictures(30), fps=10)


@pytest.fixture(scope="module")
def predicted(clip, tmp_path_factory):
    """The files of a run with all defaults."""
    return predict(clip, tmp_path_factory.mktemp("predicted"))


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", 10)


def test_every_frame_is_listed_with_its_time_and_its_points(predicted):
    images, results, rows = (
        json_of(predicted, "images")["images"],
        json_of(predicted, "predictions"),
        rows_of(predicted),
    )
    assert [image["id"] for image in images] == list(range(1, 31))
    assert [image["frame"] for image in images] == list(range(30))
    assert [image["time_s"] for image in images] == pytest.approx([n / 10 for n in range(30)])
    assert {(image["file_name"], image["width"], image["height"]) for image in images} == {("v.mp4", 96, 64)}
    assert list(rows[0]) == ["file_name", "frame", "time_s", "x", "y", "score", "track_id"]
    as_rows = [
        (str(one["image_id"] - 1), *map(str, one["keypoints"][:2]), str(one["score"]), str(one["track_id"]))
        for one in results
    ]
    assert as_rows == [(row["frame"], row["x"], row["y"], row["score"], row["track_id"]) for row in rows]
    for number in (0, 12, 29):  # the first spot of the drawn frame
        of_frame = [row for row in rows if int(row["frame"]) == number]
        assert min(np.hypot(float(row["x"]) - 10 - number, float(row["y"]) - 16) for row in of_frame) < 3
    assert not list(predicted.parent.glob(".*.part"))


def test_a_nodule_is_one_track(predicted):
    tracks, rows = rows_of(predicted, "tracks"), rows_of(predicted)
    assert {row["track_id"] for row in rows} == {track["track_id"] for track in tracks}
    for track in tracks:
        own = [row for row in rows if row["track_id"] == track["track_id"]]
        assert int(track["n_sightings"]) == len(own)
        assert (track["first_frame"], track["last_frame"]) == (own[0]["frame"], own[-1]["frame"])
        assert (float(track["first_s"]), float(track["last_s"])) == (float(own[0]["time_s"]), float(own[-1]["time_s"]))
        assert float(track["best_score"]) == max(float(row["score"]) for row in own)
    assert sum(int(track["n_sightings"]) > 20 for track in tracks) >= 2


def test_the_overlay_is_a_video_of_the_same_times_without_names(predicted):
    with av.open(str(predicted / "overlays" / "v.mp4")) as container:
        stream_, said = container.streams.video[0], {**container.metadata, **container.streams.video[0].metadata}
        frames = list(container.decode(stream_))
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(30)])
    assert (frames[0].width, frames[0].height) == (720, 480 + 32)
    assert stream_.codec_context.name == "h264"
    assert stream_.codec_context.pix_fmt == "yuv420p"
    assert not {"title", "comment", "encoder", "creation_time"} & set(said)
    shown = frames[10].to_ndarray(format="rgb24")[:480]
    plain = cv2.resize(list(pictures(11))[10], (720, 480), interpolation=cv2.INTER_CUBIC)
    changed = np.abs(shown.astype(int) - plain).max(-1) > 60
    assert 0.001 < changed.mean() < 0.1  # the marks


def test_key_frames_are_clean(predicted):
    listed = json_of(predicted, "key_frames")
    assert 3 <= len(listed) <= 12
    drawn = list(pictures(30))
    for one in listed:
        picture = cv2.imread(str(predicted / one["file"]))[..., ::-1]
        assert np.abs(picture.astype(int) - drawn[one["image_id"] - 1]).mean() < 10
    assert len(list((predicted / "key_frames").iterdir())) == len(listed)


def test_provenance(clip, tmp_path):
    origin = json_of(predict(clip, tmp_path, data={"every_nth": 3}), "provenance")
    assert origin["threshold"] == 0.3
    assert origin["threshold_rule"] == "given by hand"
    assert origin["source"] == "v.mp4"
    assert origin["command"] == "predict"
    assert origin["videos"] == [
        {
            **{"file_name": "v.mp4", "fps": 10.0, "duration_s": 3.0, "n_frames_read": 30},
            **{"every_nth": 3, "per_second": None, "complete": True, "broke_off": None},
        }
    ]


def test_what_is_asked_for(clip, tmp_path):
    folder = predict(clip, tmp_path, heatmaps=True, density=True, overlays=False, tracks=False, key_frames=False)
    expected = {"predictions.json", "images.json", "points.csv", "provenance.json", "density.csv", "heatmaps"}
    assert {path.name for path in folder.iterdir()} == expected
    density = rows_of(folder, "density")
    counts = [sum(row["frame"] == str(number) for row in rows_of(folder)) for number in range(30)]
    assert [int(row["n_points"]) for row in density] == counts
    assert float(density[4]["points_per_mpx"]) == pytest.approx(counts[4] * 1e6 / (64 * 96), abs=0.001)
    assert all(row["track_id"] == "" for row in rows_of(folder))
    heat = cv2.imread(str(folder / "heatmaps" / "v" / "000004.png"), cv2.IMREAD_UNCHANGED)
    assert (heat.dtype, heat.shape) == (np.uint16, SIZE)
    for row in (row for row in rows_of(folder) if row["frame"] == "4"):
        near = heat[round(float(row["y"])), round(float(row["x"]))] / 65535
        assert near == pytest.approx(float(row["score"]), abs=0.25)
        assert near > 0.2


def test_parquet_holds_what_the_csv_holds(clip, tmp_path):
    pandas = pytest.importorskip("pandas")
    folder = predict(clip, tmp_path, parquet=True, overlays=False)
    one, other = pandas.read_parquet(folder / "points.parquet"), pandas.read_csv(folder / "points.csv")
    pandas.testing.assert_frame_equal(one, other, check_dtype=False)


def test_a_folder_of_images_and_videos(clip, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    cv2.imwrite(str(source / "b.png"), next(pictures(1))[..., ::-1])
    cv2.imwrite(str(source / "z.png"), next(pictures(1, (48, 64)))[..., ::-1])
    write_clip(source / "c.mkv", pictures(5))
    shutil.copy(clip, source / "deep" / "v.mp4")
    folder = predict(source, tmp_path, data={"every_nth": 2})
    images = json_of(folder, "images")["images"]
    assert [image["id"] for image in images] == list(range(1, 21))
    names = ["b.png", *["c.mkv"] * 3, *["deep/v.mp4"] * 15, "z.png"]
    assert [image["file_name"] for image in images] == names
    assert [image.get("frame") for image in images] == [None, 0, 2, 4, *range(0, 30, 2), None]
    overlays = {path.name for path in (folder / "overlays").iterdir()}
    assert overlays == {"b.png", "c.mp4", "deep_v.mp4", "z.png"}
    ids = {name: {r["track_id"] for r in rows_of(folder) if r["file_name"] == name} for name in set(names)}
    assert ids["b.png"] == {""}
    assert not ids["c.mkv"] & ids["deep/v.mp4"]
    assert [one["file_name"] for one in json_of(folder, "provenance")["videos"]] == ["c.mkv", "deep/v.mp4"]


def test_a_list_of_paths(clip, spots, tmp_path):
    listed = tmp_path / "list.txt"
    shutil.copy(clip, tmp_path / "here.mp4")
    listed.write_text(f"# mine\n\nhere.mp4\n{spots / 'images' / 'test_0.png'}\n")
    folder = predict(listed, tmp_path, data={"every_nth": 10})
    names = [image["file_name"] for image in json_of(folder, "images")["images"]]
    assert [Path(name).name for name in names] == ["here.mp4"] * 3 + ["test_0.png"]
    for text, said in (("nowhere.mp4", "line 1: .*no such"), ("-", "standard input"), ("here.mp4\nhere.mp4", "twice")):
        listed.write_text(text)
        with pytest.raises(InputError, match=said):
            predict(listed, tmp_path)


def test_a_frame_that_changes_its_size(tmp_path):
    for name, size in (("a", (64, 96)), ("b", (96, 64))):
        write_clip(tmp_path / f"{name}.h264", pictures(6, size))
    both = tmp_path / "both.h264"
    both.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    for number, data in enumerate(({}, {"image_size": (128, 128)})):
        folder = predict(both, tmp_path / str(number), data=data)
        images = json_of(folder, "images")["images"]
        assert [(image["height"], image["width"]) for image in images] == [(64, 96)] * 6 + [(96, 64)] * 6
        last = [row for row in rows_of(folder) if row["frame"] == "11"]
        assert min(np.hypot(float(row["x"]) - 15, float(row["y"]) - 16) for row in last) < 3
        with av.open(str(folder / "overlays" / "both.mp4")) as container:
            sizes = [frame.to_ndarray(format="rgb24").shape[:2] for frame in container.decode(video=0)]
        assert sizes == [(512, 720)] * 12


def test_a_cut_off_video_gives_what_is_left(clip, tmp_path, caplog):
    path = write_clip(tmp_path / "cut.mkv", pictures(60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with caplog.at_level(logging.INFO):
        folder = predict(path, tmp_path, overlays=False, tracks=False)
    (video,) = json_of(folder, "provenance")["videos"]
    assert not video["complete"]
    assert len(json_of(folder, "images")["images"]) == video["n_frames_read"] > 20
    assert f"cut.mkv: broke off at frame {video['n_frames_read']}" in caplog.text
    assert video["broke_off"] in caplog.text


def test_a_name_is_in_nothing_that_is_written(clip, tmp_path):
    source = tmp_path / "Anna_Muster"
    source.mkdir()
    shutil.copy(clip, source / "Muster_1970.mp4")
    cv2.imwrite(str(source / "Muster.png"), next(pictures(1))[..., ::-1])
    folder = predict(source, tmp_path / "out", data={"anonymize": True}, anonymize=True, density=True)
    for path in folder.rglob("*"):
        assert "muster" not in str(path.relative_to(folder)).lower()
        assert path.is_dir() or b"muster" not in path.read_bytes().lower(), path.name
    names = {image["file_name"] for image in json_of(folder, "images")["images"]}
    assert names == {"image_1", "video_1"}


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


def broken_off(clip, root, monkeypatch, **options):
    """Leave two finished chunks."""
    with monkeypatch.context() as patch:
        drawn = []

        def fail(writer, found):
            drawn.append(found)
            if len(drawn) == 25:
                raise OSError(28, "No space left on device")

        patch.setattr(OverlayVideos, "frame", fail)
        with pytest.raises(OSError, match="No space"):
            predict(clip, root, **options)


def test_another_command_does_not_go_on(clip, tmp_path, short_chunks, monkeypatch):
    broken_off(clip, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"20 finished frames .* another threshold; .*unfinished drop"):
        predict(clip, tmp_path, bright_module(threshold=0.4))
    with pytest.raises(InputError, match="another sampling;"):
        predict(clip, tmp_path, data={"every_nth": 2})
    folder = predict(clip, tmp_path, bright_module(threshold=0.4), unfinished="drop")
    assert len(json_of(folder, "images")["images"]) == 30
    assert json_of(folder, "provenance")["threshold"] == 0.4


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


@pytest.fixture
def standard_input():
    """A pipe in the place of standard input; its writing end."""
    kept, (reading, writing) = os.dup(0), os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    pipe = os.fdopen(writing, "wb")
    yield pipe
    pipe.close()
    os.dup2(kept, 0)
    os.close(kept)


def feed(pipe, data, then=lambda: None):
    """Write in a thread: the pipe holds less than the data."""

    def write():
        pipe.write(data)
        pipe.flush()
        then()

    threading.Thread(target=write, daemon=True).start()


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


@pytest.mark.parametrize(("data", "said"), [(b"", "standard input: cannot be read"), (b"abc" * 999, "standard input")])
def test_what_is_no_video_on_standard_input(data, said, tmp_path, standard_input):
    feed(standard_input, data, standard_input.close)
    with pytest.raises(InputError, match=said):
        predict("-", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


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
