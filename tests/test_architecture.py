"""Imports run one way only; what needs no torch loads none; coordinates are scaled in one file."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import carcinosis_loc

PACKAGE = Path(carcinosis_loc.__file__).parent

# From the top down; rooms of one line do not know each other.
FLOORS = [
    ["cli"],
    ["calibration_command", "track_scores_command", "audit", "study", "report"],
    ["runner", "localizer"],
    ["callbacks", "explanations", "resuming"],
    ["export"],
    ["recipe", "summary", "diagnosis"],
    ["module", "writers"],
    ["detector"],
    ["data"],
    ["models"],
    ["losses"],
    ["heatmap"],
    ["metrics"],
    ["drawing"],
    ["synthetic", "masks", "tracking"],
    ["video"],
    ["annotations"],
    ["look", "points", "run_folder", "schedules", "trust"],
    ["loggers"],
    ["files", "configs", "pipes"],
    ["errors", "plain", "version", "wording"],
]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inside = node.module == "carcinosis_loc"
            names = [f"carcinosis_loc.{alias.name}" for alias in node.names] if inside else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: relative import")
        yield from (name.split(".")[1] for name in names if name.startswith("carcinosis_loc."))


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("__init__", "__main__")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    room = room_of(path)
    assert room in FLOOR, f"{room} has no floor: give it one here and in docs/architecture.md"
    for other in imported_rooms(path):
        assert other == room or FLOOR[other] > FLOOR[room], f"{path.name} ({room}) imports {other}, which lies above it"


def test_the_docs_name_every_room():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    missing = [room for room in FLOOR if not re.search(rf"\b{room}(\.py|/)", text)]
    assert missing == []


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "annotations.coco",
        "synthetic.dataset",
        "annotations.thinning",
        "drawing",
        "study",
        "tracking",
        "report.command",
        "report.procedure",
        "report.evaluation",
    ],
)
def test_no_torch_where_none_is_needed(module):
    code = f"import sys, carcinosis_loc.{module}; print('torch' in sys.modules, 'albumentations' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_only_one_file_knows_mmpose():
    knowing = [
        p.name for p in SOURCES if re.search(r"import_module\(.mmpose|^\s*(import|from) mmpose", p.read_text(), re.M)
    ]
    assert knowing == ["hrnet.py"]


def test_only_points_scales_coordinates():
    """The half-pixel mapping is written once."""
    pattern = re.compile(r"[+-]\s*0\.5\s*\)\s*[*/]")
    assert [p.name for p in SOURCES if pattern.search(p.read_text())] == ["points.py"]


def test_no_file_is_a_hall():
    long = {str(p.relative_to(PACKAGE)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 250}
    assert long == {}
