"""What carcloc has written, read back: predictions by pycocotools, results by studies; sound, and damaged."""

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import SUCCESS, Family, outcome, outcome_of_command
from pycocotools.coco import COCO
from sources import Source

from carcinosis_loc.points import Frame, Peaks

NAMES = [
    "a.png",
    "sub/a b.png",
    'quote".png',
    "comma,.png",
    "line\nbreak.png",
    "日本.png",
    "=1+1.png",
    "\u202e.png",
    "é.png",
    "é.png",
]
FIGURES = {"f1": 0.5, "best_f1": 0.6, "average_precision": 0.4, "precision": 0.5, "recall": 0.5, "threshold": 0.3}
FIGURES |= {"best_threshold": 0.2}


def _falling(peak: tuple[float, float, float]) -> float:
    return -peak[2]


def found(source: Source) -> list[tuple[str, tuple[int, int], list[tuple[float, float, float]]]]:
    """Images with peaks, at the ends of what peaks can be."""
    scores = [0.0, 1.0, 0.5, 1e-45, 0.1, 0.30000001192092896, 1 - 2**-24]
    return [
        (
            source.pick(NAMES),
            source.pick([(1, 1), (64, 80), (1, 20_000)]),
            sorted(
                source.many(lambda: (source.number(0, 99), source.number(0, 99), source.pick(scores)), 4), key=_falling
            ),
        )
        for _ in range(source.integer(1, 3))
    ]


def write_and_read(case: Any, folder: Path) -> str:
    """Predictions come back as they were, by pycocotools and as CSV."""
    from carcinosis_loc.writers import About, CocoResults, Found, PointTable  # brings torch along

    writers = [CocoResults(), PointTable()]
    for writer in writers:
        writer.begin(About(folder, lambda frame: frame.file_name))
    for number, (name, size, peaks) in enumerate(case, 1):
        xy = np.array([peak[:2] for peak in peaks], np.float32).reshape(-1, 2)
        scores = np.array([peak[2] for peak in peaks], np.float32)
        for writer in writers:
            writer.frame(Found(Frame(number, name, folder / "x.png", size), Peaks(xy, scores)))
    for writer in writers:
        writer.finish()
    if any(peaks for *_, peaks in case):
        with redirect_stdout(io.StringIO()):
            coco = COCO(str(folder / "images.json"))
            results = coco.loadRes(str(folder / "predictions.json"))
        scores = [np.float32(results.anns[key]["score"]) for key in sorted(results.anns)]
        assert scores == [np.float32(peak[2]) for *_, peaks in case for peak in peaks]
        assert [coco.imgs[number]["file_name"] for number in sorted(coco.imgs)] == [name for name, *_ in case]
    with (folder / "points.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [(name, peak[0]) for name, _, peaks in case for peak in peaks]
    assert [row["file_name"] for row in rows] == [name for name, _ in wanted]
    assert np.allclose([float(row["x"]) for row in rows], [x for _, x in wanted], atol=2e-3)
    return SUCCESS


def run_files(source: Source) -> dict[str, bytes]:
    """The files of a study's run, one of them damaged."""
    metrics = source.lacking({key: source.mostly(value, 25) for key, value in FIGURES.items()}, 8)
    rows = "image_id,file_name,group,tp,fp,fn,n_predicted,n_points\n1,a.png,p1,1,1,1,2,2\n2,b.png,,1,1,1,2,2\n"
    files = {
        "metrics.json": json.dumps(source.mostly(metrics, 25)).encode("utf-8", "surrogatepass"),
        "done.json": json.dumps(source.mostly(source.lacking({"seconds": source.mostly(3.5, 8)}, 8), 25)).encode(
            "utf-8", "surrogatepass"
        ),
        "per_image.csv": rows.replace(",2,2", f",{source.pick(['2', '-1', '', 'x', '1e9', 'nan'])},2").encode(),
    }
    name = source.pick(sorted(files))
    files[name] = source.damaged(files[name], one_in=2)
    if source.one_in(10):
        del files[source.pick(sorted(files))]
    return files


def report(case: dict[str, bytes], folder: Path) -> str:
    """Read one run's results, as a study's report does."""
    from carcinosis_loc.study.report import read_run

    for name, content in case.items():
        (folder / name).write_bytes(content)
    return outcome(lambda: read_run(folder, {"seed": "0"}))


def studies(source: Source) -> bytes:
    """A study's file."""
    study: Any = {
        "format": source.mostly(1),
        "config": source.mostly("demo.yaml"),
        "factors": source.mostly(
            {str(source.mostly("loss", 20)): source.mostly({"mse": {"model.loss": "x"}, "b": {"c": 1}}, 15)}
        ),
        "options": source.mostly({"data.batch_size": 4}, 10),
        "prepare": source.mostly(["synth {out}/data", source.mostly("thin {out}/a.json {out}/b.json", 10)], 10),
        "reference": source.mostly({"loss": "mse"}, 10),
    }
    study = source.mostly(source.lacking(study, 15))
    return source.damaged(json.dumps(study).encode("utf-8", "surrogatepass"), one_in=4)


def plan(case: bytes, folder: Path) -> str:
    """Read a study's file and write it out for many machines."""
    (folder / "study.yaml").write_bytes(case)
    return outcome_of_command(["study", "--sweep", str(folder / "study.yaml"), str(folder / "out")])


FAMILIES = [
    Family("predictions", found, write_and_read, "carcinosis_loc.writers"),
    Family("results", run_files, report, "carcinosis_loc.study.report"),
    Family("studies", studies, plan, "carcinosis_loc.study"),
]
