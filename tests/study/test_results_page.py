"""``make results``: studies are run, and what they found comes into the page of results."""

import importlib.util
import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from studies import Fake

from carcinosis_loc.study import read_plan, run_study

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"


@pytest.fixture
def remake():
    spec = importlib.util.spec_from_file_location("remake", ROOT / "docs" / "results" / "remake.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_holds_the_tables_that_lie_beside_it(remake):
    for folder in sorted(path for path in (ROOT / "docs" / "results").iterdir() if (path / "table.md").exists()):
        assert remake.section_of(folder.name) in PAGE.read_text(), f"{folder.name}: see make results"


def test_a_table_takes_the_place_of_the_one_before(remake):
    page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n"
    once = remake.with_table(page, "x", "new\n")
    assert once == "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n"
    assert remake.with_table(once, "x", "new") == once
    with pytest.raises(SystemExit, match="lacks the lines <!-- y -->"):
        remake.with_table(page, "y", "new")


def test_a_study_that_is_done_comes_into_the_page(remake, tmp_path, monkeypatch):
    nuclei, runs = tmp_path / "nuclei", tmp_path / "runs"
    nuclei.mkdir()
    plan = read_plan("lambda.yaml", [], {"out": str(runs / "lambda"), "nuclei": str(nuclei)})
    run_study(plan, runs / "lambda", "lambda=1.0", command=Fake())
    docs = tmp_path / "docs"
    (docs / "results" / "lambda").mkdir(parents=True)
    (docs / "results" / "lambda" / "f1_by_gone.png").touch()
    (docs / "results.md").write_text("# R\n<!-- lambda -->\n<!-- end of lambda -->\n")
    monkeypatch.setattr(remake, "DOCS", docs)
    monkeypatch.setattr(remake, "PAGE", docs / "results.md")
    told = ["--runs", str(runs), "--folder", f"nuclei={nuclei}", "--folder", "retina=nowhere", "--only", "lambda=1.0"]
    monkeypatch.setattr(sys, "argv", ["remake.py", *told, "lambda"])
    remake.main()
    kept = {path.name: path.read_bytes() for path in (docs / "results" / "lambda").iterdir()}
    assert sorted(kept) == ["f1.png", "records.jsonl", "runs.csv", "table.md"]
    page = (docs / "results.md").read_text()
    assert "| 1.0 | 3 | 0.500" in page
    assert "lambda.yaml: 3 of 12 runs. carcloc " in page
    assert "![lambda](results/lambda/f1.png)" in page
    shutil.rmtree(runs)  # another machine: what is on record is not run again, and says the same
    remake.main()
    again = {path.name: path.read_bytes() for path in (docs / "results" / "lambda").iterdir()}
    assert again == kept
    assert not list(runs.glob("lambda/runs/*/run.log"))


def test_who_runs_all_anew_begins_with_nothing(remake, tmp_path, monkeypatch):
    record = {"name": "a", "run.json": {}, "metrics.json": {}, "done.json": {}, "groups": {"p0": [1, 2, 3]}}
    folder = tmp_path / "docs" / "results" / "lambda"
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text(json.dumps(record) + "\n")
    monkeypatch.setattr(remake, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(remake.subprocess, "run", lambda *_, **__: Namespace(returncode=1))
    for words, restored in ((["--anew"], False), ([], True)):
        monkeypatch.setattr(sys, "argv", ["remake.py", "--runs", str(tmp_path), *words, "lambda"])
        with pytest.raises(SystemExit, match="not all is done"):
            remake.main()
        assert (tmp_path / "lambda" / "runs" / "a" / "done.json").exists() == restored


def test_a_study_that_failed_leaves_the_page(remake, tmp_path, monkeypatch):
    page = tmp_path / "results.md"
    page.write_text("<!-- lambda -->\nkept\n<!-- end of lambda -->\n")
    monkeypatch.setattr(remake, "PAGE", page)
    # Nobody says where nuclei lies, which both need.
    monkeypatch.setattr(sys, "argv", ["remake.py", "--runs", str(tmp_path), "lambda", "losses"])
    with pytest.raises(SystemExit, match="lambda, losses: not all is done"):
        remake.main()
    assert "kept" in page.read_text()
