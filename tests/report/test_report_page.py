"""The page as text: whole, alone, silent, and proof against names."""

import base64
import hashlib
import json
import re

import pytest
from pages import NAMES, Reader, page_of
from procedures import write_images, write_video

from carcinosis_loc.cli import main
from carcinosis_loc.report import command
from carcinosis_loc.report.reading import read_findings


def test_the_page_says_where_it_is_and_is_the_only_new_file(minute, capsys):
    before = {path.name for path in minute.iterdir()} - {"report.html"}
    page_of(minute)
    out = capsys.readouterr().out
    assert f"report: {minute / 'report.html'} (" in out
    assert "for research use only" in out
    assert {path.name for path in minute.iterdir()} == before | {"report.html"}


def test_the_page_points_at_nothing_outside_itself(minute):
    """No address anywhere in an attribute: pictures are data, links are anchors."""
    text = page_of(minute)
    page = Reader(text)
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "action", "srcset", "poster", "data", "xlink:href", "formaction"):
                assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, name, value[:60])
            assert not name.startswith("on"), (tag, name)
            assert name != "style"
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_anchors_lead_somewhere_and_ids_are_unique(minute, stations):
    page = Reader(page_of(minute, "--stations", str(stations)))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("a") + page.all("use"):
        assert attributes["href"][1:] in ids
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(attributes.get(name, "").split()) <= set(ids)


def test_what_the_page_says_of_a_video(minute, stations):
    words = Reader(page_of(minute, "--stations", str(stations))).words
    for said in (
        "Research use only.",
        "Not a medical device.",
        "frames looked at 60",
        "unique nodules, linked over frames (an estimate, see limits ) 12",
        "the best F1 on 3 exhaustive frames (120 points)",
        "inspected too briefly to judge",
        "Under the axis: diaphragm right 00:00 to 00:15, pelvis 00:15 to 00:19, liver 00:41 to 00:52.",
        "No interval was given for: diaphragm left, stomach, spleen",
        "0123abc",
        "best.ckpt",
    ):
        assert said in words, said


def test_what_a_video_that_broke_off_says(tmp_path):
    facts = {"file_name": "case.mp4", "duration_s": 600.0, "complete": False, "broke_off": "/secret/case.mp4: damaged"}
    folder = write_video(tmp_path, key_every=0, seconds=20, videos=[facts])
    words = Reader(page_of(folder)).words
    assert (
        "case.mp4 could not be read whole (/secret/case.mp4: damaged); the last frame that was read is at 00:19."
        in words
    )
    assert "/secret" not in page_of(folder, "--anonymize")


def test_names_are_text_and_nothing_else(tmp_path):
    folder = write_images(tmp_path, NAMES)
    text = page_of(folder)
    page = Reader(text)
    for name in NAMES:
        assert " ".join(name.split()) in page.words
        assert name not in text.replace("&#34;", "").split("<main")[0]
    assert len(page.all("script")) == 2
    assert not page.all("img")
    for attributes in page.all("script"):
        assert attributes in ({}, {"type": "application/json", "id": "levels"})


def test_json_in_the_page_cannot_end_its_script(minute):
    held = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page_of(minute), re.S).group(1)
    assert "<" not in held
    levels = json.loads(held)["levels"]
    findings = read_findings(minute)
    for score, frames in zip(levels["scores"], levels["frames"], strict=True):
        assert frames == (findings.counts(score) > 0).sum()
    assert levels["scores"][levels["start"]] == findings.threshold
    assert levels["scores"][0] == findings.found.score.min()


def test_the_threshold_of_the_folder_counts_and_what_lies_below_is_hidden(tmp_path):
    folder = write_video(tmp_path, threshold=0.7)
    page = Reader(page_of(folder))
    points = [attributes for attributes in page.all("g") if "data-s" in attributes]
    hidden = [float(one["data-s"]) for one in points if one.get("visibility") == "hidden"]
    assert max(hidden) < 0.7 <= min(float(one["data-s"]) for one in points if one.get("visibility") != "hidden")
    assert "unique nodules, linked over frames (an estimate, see limits ) 4" in page.words


def test_anonymize_leaves_names_out(tmp_path):
    folder = write_video(tmp_path / "mueller_1970", name="Mueller.mp4")
    text = page_of(folder, "--anonymize")
    for name in ("Mueller", "mueller", "best.ckpt"):
        assert name not in text
    assert "video 1" in text
    images = write_images(tmp_path / "images", ("Mueller.png", "Meier.png"))
    text = page_of(images, "--anonymize")
    assert not re.search("Mueller|Meier", text)
    assert "image 2" in text


def test_metadata_of_key_frames_stays_outside(tmp_path):
    from PIL import Image

    folder = write_images(tmp_path)
    picture = folder / "key_frames" / "1.jpg"
    with Image.open(picture) as image:
        exif = image.getexif()
        exif[0x010E] = "patient Mueller"
        image.save(picture, exif=exif)
    assert b"Mueller" in picture.read_bytes()

    for data in re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page_of(folder)):
        assert b"Mueller" not in base64.b64decode(data)


def test_a_folder_without_key_frames_tracks_or_provenance_has_a_page(tmp_path):
    folder = write_images(tmp_path, tuple(f"{n}.png" for n in range(9)), key=False)
    for name in ("provenance.json", "key_frames.json"):
        (folder / name).unlink()
    page = Reader(page_of(folder))
    assert "The folder holds no key frames" in page.words
    assert "not recorded" in page.words
    assert page.all("rect")  # nine images have a histogram


def test_one_image_is_no_images(tmp_path):
    words = Reader(page_of(write_images(tmp_path, ("a.png",)))).words
    assert "found in 1 image, and" in words
    assert "image looked at 1" in words


def test_no_point_at_all_is_a_page(tmp_path):
    folder = write_video(tmp_path, seconds=3)
    (folder / "points.csv").write_text("file_name,frame,time_s,x,y,score,track_id\n")
    (folder / "tracks.csv").write_text("track_id,file_name,n_sightings,best_score\n")
    page = Reader(page_of(folder))
    assert "Where there is no point, there may still be disease." in page.words
    assert [one["max"] for one in page.all("input") if one.get("type") == "range"] == ["0"]


def test_a_run_with_predictions_alone_is_reported_where_it_was_asked(tmp_path):
    write_images(tmp_path / "predictions")
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "predictions" / "report.html").exists()


def test_a_failure_while_writing_leaves_the_earlier_page(minute, monkeypatch, capsys):
    before = page_of(minute)

    def fail(*given):
        raise OSError(28, "No space left on device", str(minute / "report.html"))

    monkeypatch.setattr("carcinosis_loc.files.Path.write_bytes", fail)
    assert main(["report", str(minute), "--anonymize"]) == 2
    assert (minute / "report.html").read_text(encoding="utf-8") == before
    assert not [path for path in minute.iterdir() if path.name.startswith(".")]
    assert command.NAME in capsys.readouterr().err


def test_a_long_video_has_one_row_a_stretch(tmp_path):
    folder = write_video(tmp_path, seconds=300, key_every=0)
    page = page_of(folder)
    assert "Of each of 100 stretches the frame with the most points" in Reader(page).words
    rows = re.findall(r'<tr><th scope="row">([\d:]+)</th><td class="n">(\d+)</td>', page)
    counts = [sum(second % k == 0 for k in range(1, 13)) for second in range(300)]
    assert [int(count) for _, count in rows] == [max(counts[i : i + 3]) for i in range(0, 300, 3)]
    assert rows[0] == ("00:00", "12")


@pytest.mark.parametrize(
    ("step_s", "second", "length"),
    [(1.0, "00:01", "00:12"), (0.2, "00:00.2", "00:12.0"), (0.04, "00:00.04", "00:12.00")],
)
def test_times_tell_frames_apart(tmp_path, step_s, second, length):
    page = page_of(write_video(tmp_path, seconds=12, key_every=1, step_s=step_s))
    rows = re.findall(r'<tr><th scope="row">([\d:.]+)</th>', page)
    assert len(set(rows)) == 12
    assert rows[1] == second
    assert f"<strong>{second}</strong>" in page  # the caption of a key frame
    assert f'data-label="length">{length}<' in page


def test_the_page_says_how_key_frames_were_chosen(tmp_path):
    folder = write_video(tmp_path)
    words = Reader(page_of(folder)).words
    assert "of each stretch the frame that is sharp, has little glare, and shows the most points that stay" in words
    (folder / "tracks.csv").unlink()
    assert "that stay" not in Reader(page_of(folder)).words
    listed = json.loads((folder / "key_frames.json").read_text())
    earlier = [{key: value for key, value in one.items() if key != "clearness"} for one in listed]
    (folder / "key_frames.json").write_text(json.dumps(earlier))
    words = Reader(page_of(folder)).words
    assert "of each stretch the frame with the most points, whether or not it is sharp" in words
    assert "that is sharp" not in words


def test_a_key_frame_says_its_station(minute, stations):
    words = Reader(page_of(minute, "--stations", str(stations))).words
    assert "00:10 : 4 points, diaphragm right" in words
    assert "00:20 : 5 points enlarge" in words  # at 20 s the camera looked at no station


def test_what_was_seen_in_fewer_than_three_frames_is_no_unique_nodule(tmp_path):
    folder = write_video(tmp_path, seconds=7, key_every=0)  # nodules 1, 2 and 3 are seen 7, 4 and 3 times
    assert "unique nodules, linked over frames (an estimate, see limits ) 3" in Reader(page_of(folder)).words


def test_a_count_below_the_points_of_one_frame_is_warned_of(tmp_path):
    few, more = (write_video(tmp_path / name, seconds=s, key_every=0) for name, s in (("few", 3), ("more", 60)))
    assert "fewer nodules are counted than one frame has points" in Reader(page_of(few)).words
    assert "fewer nodules are counted" not in Reader(page_of(more)).words


@pytest.mark.parametrize(
    ("changed", "told"), [(None, True), ("checkpoint", False), ("config_test.yaml", False), ("metrics.json", False)]
)
def test_a_test_of_the_same_checkpoint_is_told_and_of_no_other(tmp_path, changed, told):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    folder = write_video(tmp_path / "predictions", seconds=5, key_every=0, checkpoint_sha256=digest)
    figures = dict.fromkeys(("f1", "precision", "recall", "threshold"), 0.875) | {"n_images": 6, "n_points": 31}
    (tmp_path / "metrics.json").write_text(json.dumps(figures | {"match_radius_px": 6}))
    (tmp_path / "config_test.yaml").write_text("ckpt_path: elsewhere/best.ckpt\n")
    if changed == "checkpoint":
        (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"others")
    elif changed == "config_test.yaml":
        (tmp_path / changed).write_text("ckpt_path: last.ckpt\n")
    elif changed:
        (tmp_path / changed).write_text("{")
    assert ("F1 0.875, precision 0.875" in Reader(page_of(folder)).words) is told
