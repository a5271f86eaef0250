"""``carcloc score-tracks``."""

import json

import pytest

from carcinosis_loc.cli import main


@pytest.fixture
def files(tmp_path):
    """Two nodules in four frames of one video; every second frame was looked at, and one id changes."""
    images = [{"id": i + 1, "file_name": "v.mp4", "frame": i, "width": 64, "height": 64} for i in range(4)]
    notes = [
        {"id": 2 * i + k, "image_id": i + 1, "category_id": 1, "track_id": k, "keypoints": [20 * k, 30, 2]}
        for i in range(4)
        for k in (1, 2)
    ]
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"images": images, "annotations": notes}))
    folder = tmp_path / "predictions"
    folder.mkdir()
    looked_at = [{**images[0], "id": 1}, {**images[2], "id": 2}]
    found = [
        {"image_id": i, "category_id": 1, "track_id": key, "keypoints": [x + 1, 30, 2], "score": 0.9}
        for i, key, x in ((1, 1, 20), (1, 2, 40), (2, 1, 20), (2, 3, 40))
    ]
    (folder / "images.json").write_text(json.dumps({"images": looked_at}))
    (folder / "predictions.json").write_text(json.dumps(found))
    return folder, truth


def test_it_scores_the_frames_that_were_looked_at(files, capsys, tmp_path):
    folder, truth = files
    out = tmp_path / "scores.json"
    assert main(["score-tracks", str(folder), str(truth), "--min-sightings", "1", "--out", str(out)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first == "v.mp4: IDF1 0.750; 3 unique nodules counted, 2 there (off by 1, 50.0 %)"
    assert last == first.replace("v.mp4", "all")
    figures = json.loads(out.read_text())["all"]
    assert (figures["n_agreed"], figures["n_truth"], figures["idf1"]) == (3, 4, 0.75)


def test_the_radius_and_the_least_sightings_count(files, capsys):
    folder, truth = files
    assert main(["score-tracks", str(folder), str(truth), "--match-radius-px", "0.5", "--min-sightings", "2"]) == 0
    assert "all: IDF1 0.000; 1 unique nodules counted, 2 there" in capsys.readouterr().out


def test_the_run_that_holds_the_predictions_will_do(files, capsys):
    folder, truth = files
    assert main(["score-tracks", str(folder.parent), str(truth)]) == 0
    assert "all: IDF1 0.750" in capsys.readouterr().out
    (folder / "images.json").unlink()
    assert main(["score-tracks", str(folder.parent), str(truth)]) == 2
    assert f"{folder.parent}: holds no images.json; give the folder" in capsys.readouterr().err


def test_flickering_tracks_do_not_count(files, capsys):
    folder, truth = files
    (folder / "tracks.csv").write_text("track_id,n_sightings,n_in_view\n1,2,2\n2,5,10\n3,6,10\n")
    assert main(["score-tracks", str(folder), str(truth), "--min-sightings", "1"]) == 0
    assert "all: IDF1 0.750; 2 unique nodules counted, 2 there" in capsys.readouterr().out
    (folder / "tracks.csv").write_text("track_id,n_sightings\n1,2\n")
    assert main(["score-tracks", str(folder), str(truth)]) == 2
    assert "tracks.csv: cannot be read as carcloc predict writes it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("predictions.json", lambda d: d[0].pop("track_id"), 'the key "track_id" is missing'),
        ("predictions.json", lambda d: d[0].update(image_id=7), '"image_id" 7 is not the id of any image'),
        ("predictions.json", lambda d: d[1].update(track_id=1), "occurs twice in frame 0 of 'v.mp4'"),
        ("predictions.json", lambda d: d[0].update(keypoints=[1, 2]), "must be one point"),
        ("images.json", lambda d: d["images"][0].pop("frame"), 'the key "frame" is missing'),
        ("images.json", lambda d: d["images"][0].update(frame=9), "has no frame 9 of 'v.mp4'"),
    ],
)
def test_bad_files_are_refused_in_one_line(files, capsys, file, change, words):
    folder, truth = files
    content = json.loads((folder / file).read_text())
    change(content)
    (folder / file).write_text(json.dumps(content))
    assert main(["score-tracks", str(folder), str(truth)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert ".json: " in line


def test_no_such_folder_and_impossible_radius(files, capsys, tmp_path):
    folder, truth = files
    assert main(["score-tracks", str(tmp_path / "none"), str(truth)]) == 2
    assert "none: holds no images.json" in capsys.readouterr().err
    assert main(["score-tracks", str(folder), str(truth), "--match-radius-px", "0"]) == 2


@pytest.mark.parametrize("name", ["truth.json", "predictions/images.json", "predictions/predictions.json"])
def test_it_never_writes_over_what_it_reads(files, capsys, tmp_path, name):
    folder, truth = files
    path = tmp_path / name
    before = path.read_bytes()
    assert main(["score-tracks", str(folder), str(truth), "--out", str(path)]) == 2
    assert "is an input itself" in capsys.readouterr().err
    assert path.read_bytes() == before
