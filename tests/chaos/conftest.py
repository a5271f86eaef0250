import time

import pytest
from kills import Training
from launching import Job
from sharing import shared


@pytest.fixture(scope="session")
def undisturbed(spots, tiny, tmp_path_factory):
    """A training, its end when nothing happens to it, and the seconds that it takes."""

    def fill(folder):
        training = Training(spots, tiny, folder)
        Job(["--version"]).wait()  # the first job waits for imports
        began = time.monotonic()
        assert training.run(folder / "wanted") == 0
        (folder / "seconds").write_text(str(time.monotonic() - began))

    folder = shared(tmp_path_factory, "undisturbed", fill)
    return Training(spots, tiny, folder), folder / "wanted", float((folder / "seconds").read_text())
