"""Which checkpoint a training goes on from; who may write into its folder."""

import os
import shutil

import pytest
import torch
from holding import held
from kills import compared
from tiny_run import fit_words

from carcinosis_loc.callbacks import AtomicCheckpointIO
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.resuming import check_length, newest_checkpoint, with_checkpoint
from carcinosis_loc.run_folder import check_folder, hold_run, lock_folder


@pytest.fixture
def copied(run, tmp_path):
    """A run of its own; ``previous.ckpt`` is an epoch behind ``last.ckpt``."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def step(path):
    return torch.load(path, weights_only=True)["global_step"]


def test_the_last_is_taken(copied):
    folder = copied / "checkpoints"
    assert step(folder / "previous.ckpt") < step(folder / "last.ckpt")
    assert newest_checkpoint(copied) == folder / "last.ckpt"


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_torn_last_gives_way_to_the_one_before_it(copied, caplog, damage):
    path = copied / "checkpoints" / "last.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content[:-1000] if damage == "cut" else content)
    assert newest_checkpoint(copied) == path.with_name("previous.ckpt")
    assert "damaged" in caplog.text
    assert "previous.ckpt instead" in caplog.text


def test_without_the_last_the_one_before_it_then_the_best(copied, caplog):
    folder = copied / "checkpoints"
    (folder / "last.ckpt").unlink()
    assert newest_checkpoint(copied) == folder / "previous.ckpt"
    (folder / "previous.ckpt").unlink()
    assert newest_checkpoint(copied) == folder / "best.ckpt"
    assert "last.ckpt is missing" in caplog.text


def test_what_a_requeue_left_counts_if_it_is_newer(copied):
    content = torch.load(copied / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(content | {"global_step": content["global_step"] + 1}, copied / "hpc_ckpt_2.ckpt")
    torch.save(content | {"global_step": content["global_step"] - 1}, copied / "hpc_ckpt_1.ckpt")
    assert newest_checkpoint(copied) == copied / "hpc_ckpt_2.ckpt"


def test_nothing_to_resume_from_is_a_fresh_start(tmp_path, caplog):
    assert newest_checkpoint(tmp_path) is None
    options = ["--trainer.default_root_dir", str(tmp_path), "--ckpt_path", "last"]
    assert with_checkpoint("fit", options)[-2:] == ["--ckpt_path", "null"]
    assert "starts afresh" in caplog.text


def test_nothing_but_damage_is_refused(copied):
    for path in (copied / "checkpoints").iterdir():
        path.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"last\.ckpt.*damaged|last\.ckpt.*no checkpoint"):
        newest_checkpoint(copied)


def test_what_was_left_of_a_first_checkpoint_blocks_no_folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".x.part.ckpt").touch()
    check_folder(tmp_path, fresh=True)
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(InputError, match="holds a run already"):
        check_folder(tmp_path, fresh=True)


def again(spots, tiny, root, *more):
    return [*fit_words(spots, tiny, root, "--data.val_json", str(spots / "val.json"), "--ckpt_path", "last"), *more]


def test_a_finished_run_that_is_resumed_stays_as_it_is(copied, run, spots, tiny):
    for torn in (".x.part.yaml", "checkpoints/.x.part.ckpt", "pictures/.x.part.png"):
        (copied / torn).touch()
    assert main(again(spots, tiny, copied)) == 0
    assert [place for name in ("best", "last") for place in compared(run, copied, name)] == []
    assert {path.name for path in (copied / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert list(copied.rglob(".*.part*")) == []


def test_what_another_command_is_writing_is_left_alone(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / ".x.part.png").touch()
    with held(tmp_path, ".test.lock"), hold_run(tmp_path, "fit"):
        assert (tmp_path / "pictures" / ".x.part.png").exists()
    for name in (".predictions.abc.part", ".predictions.part"):
        (tmp_path / name / "overlays").mkdir(parents=True)
    with hold_run(tmp_path, "predict"):
        assert not (tmp_path / "pictures" / ".x.part.png").exists()
        assert [path.name for path in tmp_path.glob(".predictions*")] == [".predictions.part"]  # can be gone on with


def test_a_run_may_be_made_longer_and_not_shorter(copied, spots, tiny, capsys):
    assert main(again(spots, tiny, copied, "--data.samples_per_epoch", "8", "--trainer.max_epochs", "3")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "has had 24 steps" in error
    assert "ends after 6" in error
    assert step(copied / "checkpoints" / "last.ckpt") == 24
    assert main(again(spots, tiny, copied, "--trainer.max_epochs", "3")) == 0
    assert "schedule now has 36 steps and not 24" in capsys.readouterr().out
    assert step(copied / "checkpoints" / "last.ckpt") == 36


def test_fewer_epochs_than_it_has_had_are_refused(copied, spots, tiny, capsys):
    """Before anything is written, with the same exit code whatever the number."""
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert main(again(spots, tiny, copied, "--trainer.max_epochs", "1")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "last.ckpt: has been trained for 2 epochs, and --trainer.max_epochs 1 asks for fewer" in error
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("given", "max_epochs"), [(None, 1), ("null", 1), ("hpc", 1), ("last", None), ("last", -1)])
def test_other_lengths_are_not_looked_at(given, max_epochs, copied):
    check_length(str(copied / "checkpoints" / "last.ckpt") if given == "last" else given, max_epochs)


def test_fewer_steps_than_a_run_has_had_are_refused(copied):
    last = copied / "checkpoints" / "last.ckpt"
    had = step(last)
    check_length(str(last), None, had)
    with pytest.raises(InputError, match=f"trained for {had} steps, and --trainer.max_steps {had - 1} asks for fewer"):
        check_length(str(last), 1000, had - 1)


def test_a_checkpoint_that_does_not_tell_its_epochs_is_left_to_lightning(tmp_path):
    for number, loops in enumerate((None, {"fit_loop": {}}, {"fit_loop": {"epoch_progress": {"current": 3}}})):
        torch.save({"state_dict": {}, "loops": loops}, tmp_path / f"{number}.ckpt")
        check_length(str(tmp_path / f"{number}.ckpt"), 1)


def test_a_second_name_leaves_no_third(tmp_path):
    """Killed between two renames, ``last.ckpt`` and ``previous.ckpt`` are the same file."""
    last = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"n": 1}, last)
    os.link(last, tmp_path / "previous.ckpt")
    AtomicCheckpointIO().save_checkpoint({"n": 2}, last)
    assert torch.load(last, weights_only=True) == {"n": 2}
    assert torch.load(tmp_path / "previous.ckpt", weights_only=True) == {"n": 1}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_requeued_job_resumes_without_being_told(copied, monkeypatch):
    options = ["--trainer.default_root_dir", str(copied)]
    assert with_checkpoint("fit", options) == options
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert with_checkpoint("fit", options)[-1] == str(copied / "checkpoints" / "last.ckpt")


def test_a_folder_has_one_run_at_a_time(tmp_path):
    with held(tmp_path) as pid, pytest.raises(InputError, match=f"another run is writing there \\(process {pid}\\)"):
        lock_folder(tmp_path)
    with lock_folder(tmp_path):  # the lock died with its holder
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
