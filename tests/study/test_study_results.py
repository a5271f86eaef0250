"""What studies report of their runs: tables, intervals, lines, shares of a reference."""

import json
import math
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import STUDY, WITH_DATA, Fake, report, written

from carcinosis_loc.errors import InputError
from carcinosis_loc.study import read_plan, run_study, write_report
from carcinosis_loc.study.plan import FIGURES
from carcinosis_loc.study.report import f1_interval, read_run


def test_the_report(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake(fails=["loss=mse,seed=1"]))
    csv, table, plot = write_report(plan, out)
    lines = csv.read_text().splitlines()
    assert lines[0].startswith("loss,seed,f1,best_f1")
    assert len(lines) == 1 + 3
    rows = [row for row in table.read_text().splitlines() if row.startswith(("| mse", "| hill"))]
    assert rows[0].startswith("| mse | 1 | 0.500 [0.500, 0.500] | one | 0.900")
    assert rows[1].startswith("| hill | 2 | 0.833 [0.625, 0.625]")  # of the counts: 2 x 5 / (10 + 6)
    assert plot.read_bytes()[:4] == b"\x89PNG"


def test_a_report_of_nothing(study, tmp_path):
    _, table, _ = write_report(read_plan(str(study), []), tmp_path / "out")
    assert table.read_text() == "No run is done yet.\n"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_interval_holds_no_impossible_value(counts):
    table = np.array([(min(c), c[1], c[2]) for c in counts], float)
    low, high = f1_interval([table, table])
    assert 0 <= low <= high <= 1
    if len(table) == 1:
        whole = table[0, 1] + table[0, 2]
        assert low == high == pytest.approx(2 * table[0, 0] / whole if whole else 0)


def test_the_interval_is_that_of_a_plain_bootstrap():
    random = np.random.default_rng(0)
    true = random.integers(5, 30, 40)
    counts = np.column_stack([random.binomial(true, 0.8), true, true]).astype(float)
    low, high = f1_interval([counts])
    share = counts[:, 0] / counts[:, 1]
    residual = (counts[:, 0] - counts[:, 0].sum() / true.sum() * true).std() * np.sqrt(40) / true.sum()
    assert high - low == pytest.approx(2 * 1.96 * residual, rel=0.15)
    assert low < share.mean() < high


def test_runs_are_compared_with_their_reference_seed_by_seed(tmp_path):
    study = written(tmp_path / "s.yaml", WITH_DATA)
    plan = read_plan(str(study), [], {"out": "o", "marks": "m"})
    run_study(plan, tmp_path / "out", "labels=few", command=Fake())
    assert "F1 / reference" in report(plan, tmp_path / "out")
    assert "| 0.500 [" in report(plan, tmp_path / "out")
    assert "0.556" not in report(plan, tmp_path / "out")  # no reference is done yet
    run_study(plan, tmp_path / "out", command=Fake())
    row = next(line for line in report(plan, tmp_path / "out").splitlines() if "few" in line)
    assert "| 0.556 | 1.000 |" in row  # F1 0.5, best F1 0.9, the reference's best F1 0.9


def test_a_factor_of_three_levels_is_drawn_as_a_line(tmp_path):
    levels = {str(count): {"data.batch_size": count} for count in (1, 2, 5)}
    content = STUDY | {"factors": {"loss": STUDY["factors"]["loss"], "labels": levels}}
    plan = read_plan(str(written(tmp_path / "s.yaml", content)), [])
    run_study(plan, tmp_path / "out", "labels=1", command=Fake())
    assert [path.name for path in write_report(plan, tmp_path / "out")] == ["runs.csv", "table.md", "f1.png"]
    run_study(plan, tmp_path / "out", command=Fake())
    paths = write_report(plan, tmp_path / "out")
    assert paths[-1].name == "f1_by_labels.png"
    height, width = cv2.imread(str(paths[-1])).shape[:2]
    assert width > height > 400


def test_levels_without_an_order_make_no_line(tmp_path):
    kinds = {name: {"data.batch_size": number} for number, name in enumerate(("synthetic", "nuclei", "retina"), 1)}
    content = STUDY | {"factors": {"loss": STUDY["factors"]["loss"], "trained_on": kinds}}
    plan = read_plan(str(written(tmp_path / "s.yaml", content)), [])
    run_study(plan, tmp_path / "out", command=Fake())
    assert [path.name for path in write_report(plan, tmp_path / "out")] == ["runs.csv", "table.md", "f1.png"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("metrics.json", text) for text in (b"", b"[]", b"{", b"\xff\xfe", b'{"f1": 1}', b"[" * 99_999)),
        *(("done.json", text) for text in (b"", b"[]", b'{"seconds": null}', b'{"seconds": 1' + b"0" * 400 + b"}")),
        ("per_image.csv", b"group,file_name,tp,n_predicted,n_points\n,a.png,1,x,1\n"),
        ("per_image.csv", b"nothing\n1\n"),
        ("per_image.csv", b""),
        ("per_image.csv", b"group,file_name,tp,n_predicted,n_points\n"),
        ("per_image.csv", b"group,file_name,tp,n_predicted,n_points\n,a.png,-9,3,1\n"),
        ("done.json", b'{"seconds": -1e999}'),
        ("done.json", b'{"seconds": 1, "version": {"a": 1}}'),
        ("metrics.json", json.dumps(dict.fromkeys(FIGURES, math.nan)).encode()),
    ],
)
def test_damaged_results_are_named(name, content, study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake())
    folder = out / "runs" / plan.runs[0].name
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"its results cannot be read .*; remove done\.json to run it again"):
        read_run(folder, plan.runs[0].levels)


def test_seeds_that_were_tested_on_different_groups_make_no_row(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake())
    path = out / "runs" / "loss=mse,seed=1" / "per_image.csv"
    path.write_text(path.read_text().replace(",p2,", ",p9,"))
    with pytest.raises(InputError, match="the runs loss=mse were tested on different groups"):
        write_report(plan, out)


def test_one_group_has_no_interval(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake())
    for path in (out / "runs").glob("*/per_image.csv"):
        path.write_text(re.sub(r",p\d,", ",p,", path.read_text()))
    assert "| mse | 2 | 0.500 [one group] | 0.500 to 0.500 |" in write_report(plan, out)[1].read_text()
