import os

import pytest
from clips import pictures, write_clip
from video_runs import predict

from carcinosis_loc.data import stream


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", pictures(30), fps=10)


@pytest.fixture(scope="session")
def predicted(clip, tmp_path_factory):
    """The files of a run with all defaults."""
    return predict(clip, tmp_path_factory.mktemp("predicted"))


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", 10)


@pytest.fixture
def standard_input():
    """A pipe in the place of standard input; its writing end."""
    kept, (reading, writing) = os.dup(0), os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    pipe = os.fdopen(writing, "wb")
    yield pipe
    pipe.close()
    os.dup2(kept, 0)
    os.close(kept)
