"""Two commands that build into one folder."""

from pathlib import Path

import pytest

from carcinosis_loc.errors import InputError
from carcinosis_loc.masks.build import build


def test_a_folder_that_another_command_has_just_made_stays_whole(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "theirs.txt").write_text("whole")
    monkeypatch.setattr(Path, "exists", lambda self, **how: False)  # it was not there when it was looked for
    with pytest.raises(InputError, match="exists; give a new folder"):
        build({}, [], out)
    assert (out / "theirs.txt").read_text() == "whole"
