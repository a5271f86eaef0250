"""A study that is broken off, moved, or worked on by several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from studies import STUDY, WITH_DATA, Fake, written

from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.study import execution, read_plan, run_study
from carcinosis_loc.study.execution import carcloc

HOLD = (
    "import sys; from pathlib import Path; from carcinosis_loc.run_folder import lock_folder; "
    "lock = lock_folder(Path(sys.argv[1]), '.study.lock'); print('held', flush=True); input()"
)


def holder_of(folder):
    folder.mkdir(parents=True, exist_ok=True)
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert held.stdout.readline() == "held\n"
    return held


@pytest.fixture
def with_data(tmp_path):
    (tmp_path / "marks").mkdir()
    return written(tmp_path / "study.yaml", WITH_DATA)


def planned(path, out, marks):
    return read_plan(str(path), [], {"out": str(out), "marks": str(marks)})


def test_a_training_is_told_to_go_on_from_whatever_is_there(study, tmp_path):
    """A run that was killed in its first epoch may have a best checkpoint and no last one."""
    fake = Fake()
    run_study(read_plan(str(study), []), tmp_path / "out", command=fake)
    assert all(words[-2:] == ["--ckpt_path", "last"] for words in fake.told if words[0] == "fit")


def test_a_training_that_prepares_goes_on_too(tmp_path):
    fit = "fit --config demo.yaml --trainer.default_root_dir {out}/weights"
    plan = read_plan(str(written(tmp_path / "s.yaml", STUDY | {"prepare": [fit]})), [], {"out": str(tmp_path / "o")})
    fake = Fake(fails=["o"])
    with pytest.raises(InputError, match="failed"):
        run_study(plan, tmp_path / "o", command=fake)
    assert fake.told[0][-2:] == ["--ckpt_path", "last"]


def test_folders_may_have_blanks_and_quotation_marks(with_data, tmp_path):
    out = tmp_path / "o'brien's runs"
    fake = Fake()
    run_study(planned(with_data, out, tmp_path / "marks"), out, command=fake)
    assert fake.told[0] == ["synth", f"{out}/data", "--n-train", "4"]


def test_another_spelling_of_a_folder_is_the_same_study(with_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_study(planned(with_data, "out", "marks"), tmp_path / "out", command=Fake())
    again = Fake()
    run_study(planned(with_data, tmp_path / "out", tmp_path / "marks"), tmp_path / "out", command=again)
    assert again.told == []


def test_a_study_that_was_begun_before_folders_were_left_open_goes_on(with_data, tmp_path):
    plan, out, again = planned(with_data, tmp_path / "out", tmp_path / "marks"), tmp_path / "out", Fake()
    run_study(plan, out, command=Fake())
    (out / "prepared.json").write_text(json.dumps([list(words) for words in plan.prepare]))
    for run in plan.runs:
        path = out / "runs" / run.name / "run.json"
        filled = {"fit": list(run.fit), "test": list(run.test)}
        path.write_text(json.dumps(json.loads(path.read_text()) | filled))
    run_study(plan, out, command=again)
    assert again.told == []


def test_runs_made_with_other_options_do_not_come_into_one_table(study, tmp_path):
    run_study(read_plan(str(study), []), tmp_path / "out", only="loss=mse", command=Fake())
    other = Fake()
    with pytest.raises(InputError, match="other options"):
        run_study(read_plan(str(study), ["--trainer.max_epochs", "9"]), tmp_path / "out", "loss=hill", command=other)
    assert other.told == []


def test_runs_made_by_another_content_of_a_config_do_not_either(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, out = tmp_path / "demo.yaml", tmp_path / "out"  # beats the shipped one
    config.write_text("trainer: {max_epochs: 3}\n")
    run_study(read_plan(str(study), []), out, only="loss=mse", command=Fake())
    config.write_text("# not a word of this counts\ntrainer:\n  max_epochs: 3\n")
    run_study(read_plan(str(study), []), out, only="loss=mse", command=Fake())
    config.write_text("trainer: {max_epochs: 4}\n")
    other = Fake()
    with pytest.raises(InputError, match=r"run\.json: demo\.yaml held something else when this run was made"):
        run_study(read_plan(str(study), []), out, only="loss=hill", command=other)
    assert other.told == []
    for path in (out / "runs").glob("*/run.json"):  # those of older versions do not tell
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "configs"}))
    run_study(read_plan(str(study), []), out, only="loss=mse", command=other)
    assert other.told == []
    path.write_text(json.dumps(json.loads(path.read_text()) | {"configs": 3}))
    with pytest.raises(InputError, match="other options"):
        run_study(read_plan(str(study), []), out, only="loss=mse", command=other)


def test_a_second_process_waits_for_the_data(with_data, tmp_path, capsys, monkeypatch):
    out, fake = tmp_path / "out", Fake()
    held = holder_of(out)

    def let_go(seconds):
        if held.poll() is None:
            held.communicate("\n")

    clock = SimpleNamespace(sleep=let_go, monotonic=time.monotonic)  # not time.sleep, which other threads call
    monkeypatch.setattr(execution, "time", clock)
    run_study(planned(with_data, out, tmp_path / "marks"), out, command=fake)
    assert capsys.readouterr().out.count("another process makes the data; waiting") == 1
    assert [words[0] for words in fake.told[:2]] == ["synth", "thin"]


def test_it_does_not_wait_where_the_data_are_made(with_data, tmp_path):
    out, again = tmp_path / "out", Fake()
    plan = planned(with_data, out, tmp_path / "marks")
    run_study(plan, out, only="seed=0", command=Fake())
    held = holder_of(out)
    run_study(plan, out, command=again)
    held.communicate("\n")
    assert len(again.told) == 2 * 2


def test_a_run_that_is_stopped_may_save_what_it_has(tmp_path):
    """The child writes a line when it is told to stop; a kill would leave none."""
    child = tmp_path / "child.py"
    child.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(1)))\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    parent = (
        "import signal, sys; from pathlib import Path; import carcinosis_loc.study.execution as e\n"
        "def stop(*_): raise SystemExit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "real = e.subprocess.Popen\n"
        f"e.subprocess.Popen = lambda command, **options: real([sys.executable, {str(child)!r}], **options)\n"
        f"e.carcloc(['fit'], Path({str(tmp_path / 'run.log')!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    log = tmp_path / "run.log"
    for _ in range(600):
        if log.exists() and "up" in log.read_text():
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 143
    assert log.read_text() == "up\nsaved\n"


def test_the_commands_exit_code_comes_back(tmp_path):
    assert carcloc(["thin", "nowhere.json", "b.json", "--per-frame", "1"], tmp_path / "log") == 2
    assert "nowhere.json" in (tmp_path / "log").read_text()


def test_a_test_set_that_is_not_marked_in_full_is_named(study, tmp_path, capsys, monkeypatch):
    class Sparse(Fake):
        def __call__(self, words, log):
            code = super().__call__(words, log)
            if words[0] == "test":
                path = log.parent / "metrics.json"
                path.write_text(json.dumps(json.loads(path.read_text()) | {"f1": None}))
            return code

    monkeypatch.setattr("carcinosis_loc.study.command.run_study", lambda *told: run_study(*told, command=Sparse()))
    assert main(["study", str(study), str(tmp_path / "out")]) == 2
    assert "not marked in full" in capsys.readouterr().err
