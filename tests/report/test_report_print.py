"""The page on paper, as Chromium prints it."""

import shutil
import subprocess

import pytest
from browser import find, find_all, needs_chromium, pdf

needs_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None or shutil.which("pdfinfo") is None,
    reason="needs pdftotext and pdfinfo (apt-get install poppler-utils)",
)
pytestmark = needs_chromium


def out_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def printed(page, tmp_path):
    """The text of each page of a sheet that is filled in part, and where the PDF lies."""
    find(page, "fieldset.item input[value='2']").send_keys(" ")
    find(page, "#case-id").send_keys("A-17")
    pdf(page, tmp_path / "report.pdf")
    return out_of("pdftotext", "-layout", tmp_path / "report.pdf", "-").split("\f")[:-1], tmp_path / "report.pdf"


@needs_poppler
def test_every_printed_page_says_research_use_only(printed):
    pages, file = printed
    assert "(A4)" in out_of("pdfinfo", file)
    assert len(pages) > 3
    for number, one in enumerate(pages, 1):
        assert "Research use only" in one
        assert f"page {number} of {len(pages)}" in one


@needs_poppler
def test_the_sheet_has_pages_of_its_own_with_what_was_entered(printed):
    pages, _ = printed
    first = next(number for number, one in enumerate(pages) if "a sheet for the surgeon" in one)
    last = next(number for number, one in enumerate(pages) if "Not verified:" in one)
    sheet = "\n".join(pages[first : last + 1])
    assert "Incomplete: 1 of 7 items entered." in sheet
    assert sheet.count("A-17") == 2  # in its field, and beside the signature
    assert "clear all entries" not in sheet
    for others in ("How they are chosen", "Of each of", "All, in their order", "Calibration and limits"):
        assert others not in sheet
        assert others not in pages[first - 1] or others == "How they are chosen"
    for name in ("Peritoneal", "Diaphragmatic", "Mesenteric", "Omental", "Bowel", "Stomach", "Liver surface"):
        assert name in sheet


@needs_poppler
def test_the_table_of_frames_says_its_columns_again(printed):
    """Sixty rows in two columns: each has the heads."""
    pages, _ = printed
    assert sum(one.count("highest score") for one in pages) == 2


def test_nothing_is_cut_and_what_can_only_be_clicked_is_left_out(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        style = "return getComputedStyle(arguments[0]).breakInside"
        for selector in ("figure", "tr", "fieldset.item", "#stations table", ".cut-offs", ".warning", ".case"):
            found = find_all(page, selector)
            assert found, selector
            assert {page.execute_script(style, one) for one in found} == {"avoid"}, selector
        for selector in ("button", "input[type=range]", "input[type=checkbox]", "nav", ".skip"):
            assert not any(one.is_displayed() for one in find_all(page, selector)), selector
        assert find(page, "#threshold-now").is_displayed()  # the score that the counts hold for
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
