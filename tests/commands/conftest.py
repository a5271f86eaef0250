"""A run that was tested, for all commands' tests."""

import shutil

import pytest
from command_words import scoring_words

from carcinosis_loc.cli import main


@pytest.fixture(scope="session")
def tested(run, spots, tmp_path_factory):
    root = tmp_path_factory.mktemp("tested")
    shutil.copytree(run, root, dirs_exist_ok=True)
    assert main(scoring_words(spots, root)) == 0
    return root
