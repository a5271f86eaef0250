"""The sheet for the surgeon: empty, with evidence beside the items that points can inform, and no score."""

import re

from pages import Reader, page_of
from procedures import write_video

from carcinosis_loc.report.evidence import busiest, evidence
from carcinosis_loc.report.fagotti import CUT_OFFS, ITEMS
from carcinosis_loc.report.reading import read_findings
from carcinosis_loc.report.stations import Interval


def test_the_sheet_is_empty_and_no_sum_is_printed(minute, stations):
    """Nothing is checked, and no number from 0 to 14 is called an index."""
    page = Reader(page_of(minute, "--stations", str(stations)))
    radios = [one for one in page.all("input") if one.get("type") == "radio"]
    assert len({one["name"] for one in radios}) == len(ITEMS) == 7
    assert sorted((one["name"], one["value"]) for one in radios) == sorted(
        (item.key, value) for item in ITEMS for value in ("0", "2")
    )
    assert not [one for one in radios if "checked" in one]
    assert "Incomplete: 0 of 7 items entered." in page.words
    sheet = page.words.split("a sheet for the surgeon", 1)[1].split("Cut-offs in the literature", 1)[0]
    assert not re.search(r"(index|score|PIV)\W+(of\W+)?\d", sheet, re.I)


def test_points_inform_three_items_and_no_more():
    assert [item.key for item in ITEMS if item.stations] == ["peritoneal", "diaphragmatic", "liver"]
    assert all(item.points.startswith("Points cannot inform") for item in ITEMS if not item.stations)
    assert "With caution" in next(item for item in ITEMS if item.key == "liver").points


def test_evidence_comes_from_the_items_own_stations(minute):
    findings = read_findings(minute)
    intervals = [Interval("case.mp4", 0, 15, "diaphragm right"), Interval("case.mp4", 41, 52, "liver")]
    by_key = {item.key: evidence(findings, item, intervals) for item in ITEMS}
    assert [one.frame for one in by_key["diaphragmatic"] if one.shown] == [0, 10]
    assert by_key["diaphragmatic"][0].n_points == 12
    assert [one.frame for one in by_key["liver"] if one.shown] == [50]
    assert {one.frame for one in by_key["liver"] if not one.shown} <= set(range(41, 52))
    assert {key for key, found in by_key.items() if found} == {"diaphragmatic", "liver"}


def test_what_was_inspected_too_briefly_comes_last_and_is_marked(minute, tmp_path):
    """Second 0 has the most points of all; its station had five seconds."""
    findings = read_findings(minute)
    intervals = [Interval("case.mp4", 0, 5, "diaphragm left"), Interval("case.mp4", 10, 35, "diaphragm right")]
    item = next(item for item in ITEMS if item.key == "diaphragmatic")
    pictures = [one for one in evidence(findings, item, intervals, {"diaphragm left"}) if one.shown]
    assert [(one.frame, one.brief) for one in pictures] == [(30, False), (20, False), (10, False)]
    few = [intervals[0], Interval("case.mp4", 10, 15, "diaphragm right")]
    pictures = [one for one in evidence(findings, item, few, {"diaphragm left"}) if one.shown]
    assert [(one.frame, one.station, one.brief) for one in pictures] == [
        (10, "diaphragm right", False),
        (0, "diaphragm left", True),
    ]
    table = tmp_path / "stations.csv"
    table.write_text("start,end,station\n0,5,diaphragm left\n10,20,diaphragm right\n")
    words = Reader(page_of(minute, "--stations", str(table))).words
    assert "from: diaphragm right (10 s), diaphragm left (5 s, inspected too briefly to judge )." in words
    assert "00:00: 12 points, diaphragm left, inspected too briefly to judge" in words
    assert "00:10: 4 points, diaphragm right 00:00: 12 points" in words


def test_points_that_flicker_are_no_evidence(tmp_path):
    """Glare: second 40 has forty points, each of a nodule that was seen once."""
    folder = write_video(tmp_path)
    with (folder / "points.csv").open("a") as file:
        file.writelines(f"case.mp4,{40 * 25},40.0,{5 + 7 * k},9,0.9,{100 + k}\n" for k in range(40))
    with (folder / "tracks.csv").open("a") as file:
        file.writelines(f"{100 + k},case.mp4,40.0,40.0,1000,1000,1,0.9\n" for k in range(40))
    findings = read_findings(folder)
    assert findings.counts()[40] == 46
    assert findings.steady_counts()[40] == 6
    assert [one.frame for one in busiest(findings)] == [0, 30, 40]
    (folder / "tracks.csv").unlink()
    findings = read_findings(folder)
    assert findings.steady_counts()[40] == 46
    assert [one.frame for one in busiest(findings)] == [40, 0, 30]


def test_the_fields_for_case_date_and_names_are_empty_and_have_labels(minute):
    page = page_of(minute)
    fields = [one for one in Reader(page).all("input") if one.get("type") == "text"]
    assert [one["id"] for one in fields] == ["case-id", "case-date", "case-surgeon", "case-signature"]
    for one in fields:
        assert not {"name", "value", "placeholder"} & set(one)  # what has no name is sent nowhere
        assert one["autocomplete"] == "off"
    for label in ("Case or patient identifier", "Date of the laparoscopy", "Surgeon", "Signature"):
        assert re.search(rf"<label>{label}[^<]*<input", page)


def test_without_intervals_frames_stand_beside_no_item(minute):
    findings = read_findings(minute)
    assert not any(evidence(findings, item, []) for item in ITEMS)
    assert [one.frame for one in busiest(findings)] == [0, 30, 40]
    words = Reader(page_of(minute)).words
    assert "Frames with many points, station not known" in words
    assert "Evidence from" not in words


def test_a_station_without_points_rules_nothing_out(tmp_path, stations):
    folder = write_video(tmp_path, seconds=60)
    (folder / "points.csv").write_text("file_name,frame,time_s,x,y,score,track_id\n")
    words = Reader(page_of(folder, "--stations", str(stations))).words
    assert "diaphragm right (15 s). No point there. This does not rule disease out." in words


def test_the_cut_offs_stand_with_their_sources_and_what_was_not_verified_says_so(minute):
    assert {one.value for one in CUT_OFFS} == {8, 10}
    words = Reader(page_of(minute)).words
    for one in CUT_OFFS:
        assert one.source in words
        assert one.verified != one.checked.startswith("NOT VERIFIED")
    assert "NOT VERIFIED: neither paper nor abstract could be read" in words
