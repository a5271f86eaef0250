"""``make results``: studies are run, and what they found comes into the page of results."""

import importlib.util
import sys
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
    assert sorted(path.name for path in (docs / "results" / "lambda").iterdir()) == ["f1.png", "runs.csv", "table.md"]
    page = (docs / "results.md").read_text()
    assert "| 1.0 | 3 | 0.500" in page
    assert "lambda.yaml: 3 of 12 runs. carcloc " in page
    assert "![lambda](results/lambda/f1.png)" in page


def test_a_study_that_failed_leaves_the_page(remake, tmp_path, monkeypatch):
    page = tmp_path / "results.md"
    page.write_text("<!-- lambda -->\nkept\n<!-- end of lambda -->\n")
    monkeypatch.setattr(remake, "PAGE", page)
    # Nobody says where nuclei lies, which both need.
    monkeypatch.setattr(sys, "argv", ["remake.py", "--runs", str(tmp_path), "lambda", "losses"])
    with pytest.raises(SystemExit, match="lambda, losses: not all is done"):
        remake.main()
    assert "kept" in page.read_text()
