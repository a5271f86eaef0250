import time

import pytest
from kills import Training


@pytest.fixture(scope="session")
def undisturbed(spots, tiny, tmp_path_factory):
    """A training, its end when nothing happens to it, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("chaos")
    training = Training(spots, tiny, folder)
    began = time.monotonic()
    assert training.run(folder / "wanted") == 0
    return training, folder / "wanted", time.monotonic() - began
