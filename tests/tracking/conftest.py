import pytest
from textures import texture


@pytest.fixture(scope="session")
def ground():
    return texture()
