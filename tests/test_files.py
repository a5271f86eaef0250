"""Files are written whole or not at all; errors are one line."""

import os
import subprocess
import sys

import pytest

from carcinosis_loc import files
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import atomic_path, make_folder, new_folder, read_bytes, write_json, write_text


def test_a_file_is_written_and_its_folder_made(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "hello")
    assert (tmp_path / "a" / "b.txt").read_text() == "hello"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "x.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"f1": float("nan")})
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        make_folder(tmp_path / "file" / "folder")


def test_a_full_disk_leaves_nothing(tmp_path):
    """A limit on file size stands in for the disk: the write fails half-way, in a process of its own."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from carcinosis_loc.files import write_text\n"
        "try:\n    write_text(sys.argv[1], 'x' * 5000)\nexcept OSError as error:\n    print(error.errno)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert int(out.stdout) > 0
    assert os.listdir(tmp_path) == []


def test_an_input_error_is_one_line_and_sheds_a_workers_traceback():
    assert str(InputError("a\n b\n")) == "a b"
    wrapped = (
        "Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File ...\n"
    )
    assert str(InputError(wrapped + "carcinosis_loc.errors.InputError: x.png: is truncated")) == "x.png: is truncated"


def test_a_new_folder_is_there_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "a" / "out") as folder:
        (folder / "x").write_text("x")
        assert not (tmp_path / "a" / "out").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "out", "x"]
    with pytest.raises(InputError, match="exists"), new_folder(tmp_path / "a" / "out"):
        pass


def test_the_second_of_two_that_make_a_folder_gives_way(tmp_path):
    with pytest.raises(InputError, match="exists; give a new folder"), new_folder(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "mine").write_text("x")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "theirs"]


def test_a_pipe_is_read_to_its_end_and_not_waited_for_for_ever(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", 'sleep 0.3; echo "a b" > "$0"', pipe]):
        assert read_bytes(pipe) == b"a b\n"
    monkeypatch.setattr(files, "_PATIENCE_S", 0.1)
    with pytest.raises(InputError, match="nothing comes out of this pipe"):
        read_bytes(pipe)


def test_what_does_not_end_is_refused(tmp_path):
    with pytest.raises(InputError, match="/dev/zero: does not end"):
        read_bytes("/dev/zero")
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe"])
def test_what_is_no_ordinary_file_is_not_replaced(kind, tmp_path):
    target = tmp_path / "x"
    if kind == "folder":
        target.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        target.symlink_to("pipe") if "link" in kind else os.rename(tmp_path / "pipe", target)
    with pytest.raises(InputError, match="x: exists and is no ordinary file"):
        write_text(target, "hello")
    assert not target.is_file()


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "x").symlink_to("kept")
    write_text(tmp_path / "x", "new")
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "x").read_text() == "new"
