"""Station intervals: how they are read, what is refused, and what is summed up."""

import math
import os

import pytest
from procedures import write, write_images, write_video

from carcinosis_loc import files
from carcinosis_loc.errors import InputError
from carcinosis_loc.report.reading import read_findings
from carcinosis_loc.report.stations import STATIONS, frames_of, read_stations, summaries


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    return read_findings(write_video(tmp_path_factory.mktemp("minute") / "predictions", key_every=0))


def table(tmp_path, text):
    path = tmp_path / "stations.csv"
    path.write_text(text)
    return path


def test_names_may_be_written_as_people_write_them(minute, tmp_path):
    text = "start,end,station\n0,10,Right Diaphragm\n10,20,diaphragm_left\n20,0:30,PELVIS\n30,40,peritoneum\n"
    stations = [one.station for one in read_stations(table(tmp_path, text), minute.videos)]
    assert stations == ["diaphragm right", "diaphragm left", "pelvis", "peritoneum"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,20,liver\n19.9,30,bowel", "lines 2 and 3 overlap"),
        ("30,40,liver\n0,31,bowel", "lines 3 and 2 overlap"),
        ("50,61,liver", r"line 2: the interval reaches to '61', but the video is shorter \(60.0 s\)"),
        ("60,60.5,liver", "the video is shorter"),
        ("20,10,liver", "line 2: the interval ends .* before it starts"),
        ("0,0,liver", "before it starts"),
        ("0,10,livr", "line 2: unknown station 'livr'; did you mean liver?"),
        ("0,10,", "unknown station"),
        ("zero,10,liver", "line 2: start must be seconds or hh:mm:ss, not 'zero'"),
        ("0,,liver", "line 2: end must be seconds"),
        pytest.param("0," + "9" * 400 + ":00:00,liver", r"reaches to '9+\.\.\.9+:00:00', but", id="endless hours"),
        pytest.param("0," + "9" * 5000 + ",liver", r"reaches to '9+\.\.\.9+', but", id="endless seconds"),
        ("0,10,peritoneum,right", "line 2: holds more cells"),
        ("", "holds no interval"),
    ],
)
def test_bad_intervals_are_one_line(minute, tmp_path, rows, message):
    with pytest.raises(InputError, match=message) as caught:
        read_stations(table(tmp_path, f"start,end,station\n{rows}"), minute.videos)
    assert "stations.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_stations_that_are_known_are_named_once(minute, tmp_path):
    with pytest.raises(InputError, match="unknown station 'Leber'; did you mean liver") as caught:
        read_stations(table(tmp_path, "start,end,station\n0,10,Leber"), minute.videos)
    assert str(caught.value).endswith(", peritoneum left, pelvis, diaphragm, peritoneum")


def test_bad_tables_are_one_line(minute, tmp_path):
    with pytest.raises(InputError, match="the column station is missing"):
        read_stations(table(tmp_path, "start,end\n0,1\n"), minute.videos)
    with pytest.raises(InputError, match="the column station is there twice"):
        read_stations(table(tmp_path, "start,end,station,station\n0,1,liver,pelvis\n"), minute.videos)
    with pytest.raises(InputError, match="cannot be read"):
        read_stations(tmp_path / "none.csv", minute.videos)
    (tmp_path / "bytes.csv").write_bytes(b"start,end,station\n\xff\xfe")
    with pytest.raises(InputError, match="no CSV table"):
        read_stations(tmp_path / "bytes.csv", minute.videos)


def test_a_table_that_does_not_end_is_refused(minute, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE_S", 0.1)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="nothing comes out of this pipe"):
        read_stations(tmp_path / "pipe.csv", minute.videos)
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="does not end"):
        read_stations(tmp_path / "zero.csv", minute.videos)


def test_images_have_no_stations(tmp_path):
    images = read_findings(write_images(tmp_path / "predictions", key=False))
    with pytest.raises(InputError, match="need a video"):
        read_stations(table(tmp_path, "start,end,station\n0,1,liver\n"), images.videos)


def test_a_video_that_broke_off_is_said_where_an_interval_lies_beyond(tmp_path):
    facts = {"file_name": "case.mp4", "duration_s": 600.0, "complete": False, "broke_off": "damaged"}
    broken = read_findings(write_video(tmp_path / "predictions", key_every=0, videos=[facts]))
    assert (broken.videos[0].duration_s, broken.videos[0].broke_off) == (59.0, "damaged")
    with pytest.raises(InputError, match="reading broke off at 00:59"):
        read_stations(table(tmp_path, "start,end,station\n0,100,liver\n"), broken.videos)


def test_several_videos_need_names(tmp_path):
    images = [
        {"id": n, "file_name": name, "width": 10, "height": 10, "frame": 0, "time_s": 1.0}
        for n, name in enumerate(("a.mp4", "b.mp4"), 1)
    ]
    both = read_findings(write(tmp_path / "predictions", images, [(2, 1.0, 1.0, 0.5, "")]))
    with pytest.raises(InputError, match="file_name is missing"):
        read_stations(table(tmp_path, "start,end,station\n0,1,liver\n"), both.videos)
    with pytest.raises(InputError, match=r"no video 'c\.mp4'"):
        read_stations(table(tmp_path, "start,end,station,file_name\n0,1,liver,c.mp4\n"), both.videos)
    with pytest.raises(InputError, match="no video ''"):
        read_stations(table(tmp_path, "start,end,station,file_name\n0,1,liver\n"), both.videos)
    intervals = read_stations(table(tmp_path, "start,end,station,file_name\n0,1,liver,b.mp4\n"), both.videos)
    assert frames_of(both, intervals).tolist() == [1]
    assert [one.highest for one in summaries(both, intervals, 5.0)] == [1]


def test_a_summary_by_hand(minute, tmp_path):
    """In seconds 1 to 5 the points number 1, 2, 2, 3, 2: every k-th second shows nodule k."""
    text = "start,end,station\n1,4,pelvis\n4,6,pelvis\n50,60,liver\n"
    intervals = read_stations(table(tmp_path, text), minute.videos)
    liver, pelvis = summaries(minute, intervals, least_s=10.0)
    assert pelvis.station == "pelvis"
    assert (pelvis.inspected_s, pelvis.n_frames, pelvis.median, pelvis.highest) == (5.0, 5, 2.0, 3)
    assert pelvis.density == pytest.approx(2 / (0.18 * 0.32))
    assert pelvis.n_unique == 5  # nodules 1 to 5
    assert pelvis.brief
    assert not liver.brief
    assert liver.inspected_s == pytest.approx(10.0)
    assert [one.station for one in (liver, pelvis)] == sorted(("liver", "pelvis"), key=STATIONS.index)


def test_what_lies_below_the_threshold_does_not_count(tmp_path):
    high = read_findings(write_video(tmp_path / "predictions", key_every=0, threshold=0.7))
    intervals = read_stations(table(tmp_path, "start,end,station\n0,60,bowel\n"), high.videos)
    (bowel,) = summaries(high, intervals, 10.0)
    assert (bowel.n_unique, bowel.highest) == (4, 4)  # scores of 0.85, 0.80, 0.75 and 0.70
    assert len(high.tracks_of(high.videos[0])) == 4


def test_without_tracks_nothing_is_said_of_unique_nodules(tmp_path):
    folder = write_video(tmp_path / "predictions", key_every=0)
    (folder / "tracks.csv").unlink()
    findings = read_findings(folder)
    intervals = read_stations(table(tmp_path, "start,end,station\n0,60,bowel\n"), findings.videos)
    assert summaries(findings, intervals, 10.0)[0].n_unique is None


def test_an_interval_between_two_frames_holds_none_and_judges_nothing(minute, tmp_path):
    intervals = read_stations(table(tmp_path, "start,end,station\n1.2,1.8,spleen\n"), minute.videos)
    (spleen,) = summaries(minute, intervals, least_s=0.0)
    assert (spleen.n_frames, spleen.median, spleen.highest, spleen.density) == (0, None, None, None)
    assert spleen.brief
    assert math.isclose(spleen.inspected_s, 0.6)
