"""What `make bench` calls is there; the benchmarks themselves take minutes and are not run here."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_every_part_is_measured_in_a_folder():
    for part in importlib.import_module("run").PARTS:
        measure = importlib.import_module(part).measure
        assert list(inspect.signature(measure).parameters) == ["folder"], part
