import argparse
import subprocess
import sys

import pytest

from carcinosis_loc.errors import InputError
from carcinosis_loc.synthetic import command


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(list(map(str, words))))


SMALL = ("--n-train", 2, "--n-val", 1, "--n-test", 1, "--height", 64, "--width", 64, "--workers", 1)


def test_it_says_what_it_made_in_a_few_lines(tmp_path, capsys):
    run(tmp_path / "d", *SMALL, "--labels-per-frame", 2)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[-1].startswith(f"{tmp_path / 'd'}: 4 frames (2 train, 1 val, 1 test), ")
    assert "up to 2 of them labelled" in lines[-1]
    assert len(lines) <= 5
    assert captured.err == ""


def test_it_takes_the_options(tmp_path):
    run(tmp_path / "a", *SMALL, "--seed", 1)
    run(tmp_path / "b", *SMALL, "--seed", 2)
    first, second = ((tmp_path / name / "images" / "train_00000.png").read_bytes() for name in "ab")
    assert first != second
    with pytest.raises(InputError, match="exists already"):
        run(tmp_path / "a", *SMALL)
    run(tmp_path / "a", *SMALL, "--seed", 2, "--overwrite")
    assert (tmp_path / "a" / "images" / "train_00000.png").read_bytes() == second


def test_neither_room_loads_torch():
    code = (
        "import sys, carcinosis_loc.synthetic.command, carcinosis_loc.annotations.thin_command;"
        "sys.exit(bool({'torch', 'albumentations', 'lightning'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
