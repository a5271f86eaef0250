import pytest
from studies import STUDY, written


@pytest.fixture
def study(tmp_path):
    return written(tmp_path / "s.yaml", STUDY)
