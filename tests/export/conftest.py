"""The exported file that these tests share."""

import pytest

from carcinosis_loc.cli import main


@pytest.fixture(scope="session")
def exported(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    assert main(["export", str(fitted), str(path)]) == 0
    return path
