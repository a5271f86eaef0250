"""What `make install` installs is pinned: every dependency that the project names, and what those need."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

ROOT = Path(__file__).parents[2]


def plain(name):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()


def pins():
    lines = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    return {plain(line): line for line in lines if line and not line.startswith("#")}


def openmmlab():
    lines = (ROOT / "requirements" / "openmmlab.txt").read_text().splitlines()
    return {plain(line): line for line in lines if line and not line.startswith("#")}


def named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *[one for extra in project["optional-dependencies"].values() for one in extra]]


def test_every_pin_is_exact():
    assert [line for line in pins().values() if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.+]+( *;.*)?", line)] == []


def test_every_dependency_is_pinned():
    own = plain("carcinosis-loc")
    assert [name for name in named() if plain(name) not in pins() and plain(name) != own] == []


def test_what_the_dependencies_need_is_pinned():
    """One step further: what is installed here of their own needs, markers for other systems aside."""
    lacking = set()
    for name in set(pins()) - set(openmmlab()):  # those come without what they say they need
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        lacking |= {plain(need) for need in needs if ";" not in need and plain(need) not in pins()}
    assert lacking - {"setuptools", "pip"} == set()  # every environment has them


def test_the_builds_of_openmmlab_are_pinned():
    assert openmmlab() == {name: pins()[name] for name in openmmlab()}
