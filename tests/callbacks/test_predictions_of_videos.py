"""``PredictionFiles`` on videos, with a network that needs no training."""

import logging
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import SIZE, pictures, write_clip
from video_runs import json_of, predict, rows_of

from carcinosis_loc.errors import InputError


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
