"""Studies: what they run, and that nothing is run twice or passed off as something else."""

import json
import subprocess
import sys

import pytest
import yaml
from studies import STUDY, Fake, written

from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.study import read_plan, run_study


def test_every_combination_is_a_run_in_the_order_of_the_file(study):
    plan = read_plan(str(study), ["--data.test_json", "t.json", "--model.match_radius_px=8"])
    names = ["loss=mse,seed=0", "loss=mse,seed=1", "loss=hill,seed=0", "loss=hill,seed=1"]
    assert [run.name for run in plan.runs] == names
    run = plan.runs[2]
    assert run.fit[:3] == ("fit", "--config", "demo.yaml")
    assert list(run.fit[3:]) == [
        *("--wandb", "off", "--data.image_dir", "images", "--data.test_json", "t.json", "--model.match_radius_px=8"),
        *("--model.loss.lam", "1.0", "--seed_everything", "0"),
    ]
    assert list(run.test) == ["test", "--wandb", "off", "--data.image_dir", "images", "--data.test_json", "t.json"]


def test_what_is_done_is_not_done_again_and_what_broke_goes_on(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    broken = Fake(fails=["loss=hill,seed=0"])
    assert run_study(plan, out, command=broken) == ["loss=hill,seed=0"]
    assert len(broken.told) == 3 * 2 + 1
    (out / "runs" / "loss=hill,seed=0" / "checkpoints").mkdir()
    (out / "runs" / "loss=hill,seed=0" / "checkpoints" / "last.ckpt").touch()
    again = Fake()
    assert run_study(plan, out, command=again) == []
    assert [words[0] for words in again.told] == ["fit", "test"]
    assert again.told[0][-2:] == ["--ckpt_path", "last"]
    nothing = Fake()
    run_study(plan, out, command=nothing)
    assert nothing.told == []


def test_runs_that_differ_in_the_test_alone_are_trained_once(tmp_path):
    tested_on = {"a": {"test.data.image_dir": "a"}, "b": {"test.data.image_dir": "b", "test.model.match_radius_px": 8}}
    path = written(tmp_path / "s.yaml", {**STUDY, "factors": {**STUDY["factors"], "tested_on": tested_on}})
    plan, out, fake = read_plan(str(path), []), tmp_path / "out", Fake()
    assert run_study(plan, out, command=fake) == []
    fits, tests = ([words for words in fake.told if words[0] == name] for name in ("fit", "test"))
    assert len(fits) == 4
    assert len(tests) == 8
    assert not any("--test." in word or word in ("a", "b") for words in fits for word in words)
    assert tests[1][1:9] == [
        *("--wandb", "off", "--data.image_dir", "images", "--data.image_dir", "b", "--model.match_radius_px", "8")
    ]
    names = [run.name for run in plan.runs]
    for words, name in zip(tests, names, strict=True):
        trained = name.replace("tested_on=b", "tested_on=a")
        assert words[-4:] == [
            *("--trainer.default_root_dir", str(out / "runs" / name)),
            *("--ckpt_path", str(out / "runs" / trained / "checkpoints" / "best.ckpt")),
        ]
        done = json.loads((out / "runs" / name / "done.json").read_bytes())
        assert done["weights_of"] == trained


def test_one_run_alone(study, tmp_path):
    plan, fake = read_plan(str(study), []), Fake()
    run_study(plan, tmp_path / "out", only="loss=mse,seed=1", command=fake)
    assert len(fake.told) == 2
    with pytest.raises(InputError, match="no run is called 'nope'"):
        run_study(plan, tmp_path / "out", only="nope", command=fake)


def test_a_folder_of_other_runs_is_refused_before_anything_runs(study, tmp_path):
    out, fake = tmp_path / "out", Fake()
    run_study(read_plan(str(study), []), out, command=fake)
    other = Fake()
    with pytest.raises(InputError, match=r"run\.json: this run was made with other options"):
        run_study(read_plan(str(study), ["--data.batch_size", "2"]), out, command=other)
    path = out / "runs" / "loss=hill,seed=1" / "run.json"
    path.write_text('{"format": 99}')
    with pytest.raises(InputError, match="another version"):
        run_study(read_plan(str(study), []), out, command=other)
    path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        run_study(read_plan(str(study), []), out, command=other)
    assert other.told == []


def test_a_sweep_for_many_machines(study, tmp_path, capsys):
    assert main(["study", "--sweep", str(study), str(tmp_path / "out"), "--data.batch_size", "2"]) == 0
    content = yaml.safe_load((tmp_path / "out" / "sweep.yaml").read_text())
    assert content["parameters"]["only"]["values"][0] == "loss=mse,seed=0"
    assert content["command"][:3] == ["carcloc", "study", "${args}"]
    assert content["command"][-2:] == ["--data.batch_size", "2"]


def test_a_study_of_one_run_from_end_to_end(spots, tmp_path, capsys):
    """In processes of their own, as a user has it; then once more, with nothing to do."""
    options = {
        "data.image_dir": str(spots / "images"), "data.image_size": [64, 64], "data.num_workers": 0,
        "data.samples_per_epoch": 4, "data.batch_size": 2, "trainer.max_epochs": 1, "trainer.accelerator": "cpu",
        **{f"data.{split}_json": str(spots / f"{split}.json") for split in ("train", "val", "test")},
    }  # fmt: skip
    content = STUDY | {"options": STUDY["options"] | options, "factors": {"seed": {"0": {"seed_everything": 0}}}}
    words = ["study", str(written(tmp_path / "one.yaml", content)), str(tmp_path / "out")]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "1/1 seed=0: done in" in first
    assert (tmp_path / "out" / "runs" / "seed=0" / "metrics.json").exists()
    assert "| runs |" in first
    assert main(words) == 0
    assert "1/1 seed=0: done before" in capsys.readouterr().out


def test_failed_runs_are_told_of_in_one_line(spots, tmp_path, capsys):
    content = STUDY | {
        "options": {"data.image_dir": ".", "data.train_json": "missing.json"},
        "factors": {"seed": {"0": {}}},
    }
    assert main(["study", str(written(tmp_path / "one.yaml", content)), str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "run.log" in err
    assert "missing.json" in (tmp_path / "out" / "runs" / "seed=0" / "run.log").read_text()


def test_levels_choose_the_runs(study, tmp_path):
    fake = Fake()
    run_study(read_plan(str(study), []), tmp_path / "out", "seed=1", command=fake)
    names = [words[words.index("--trainer.default_root_dir") + 1].rpartition("/")[2] for words in fake.told]
    assert names == ["loss=mse,seed=1"] * 2 + ["loss=hill,seed=1"] * 2


@pytest.mark.parametrize("more", [["--only", "seed=0"], ["--only=seed=0"], ["--sweep"], ["--folder", "a=."]])
def test_its_own_options_behind_its_name_are_not_handed_to_fit(study, tmp_path, capsys, more):
    assert main(["study", str(study), str(tmp_path / "out"), *more]) == 2
    assert "must stand before the study's name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_processes_do_not_do_the_same_run(study, tmp_path, capsys):
    plan = read_plan(study, [])
    busy = tmp_path / "out" / "runs" / plan.runs[0].name
    busy.mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from carcinosis_loc.run_folder import lock_folder; "
        "lock = lock_folder(Path(sys.argv[1]), '.study.lock'); print('held', flush=True); input()"
    )
    command = Fake()
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(busy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    assert run_study(plan, tmp_path / "out", command=command) == []
    assert f"{plan.runs[0].name}: another process is at it" in capsys.readouterr().out
    assert len(command.told) == 2 * (len(plan.runs) - 1)
    holder.communicate("\n")
    assert run_study(plan, tmp_path / "out", command=command) == []
    assert len(command.told) == 2 * len(plan.runs)


@pytest.mark.parametrize("only", ["", ",", "loss=mse,"])
def test_an_empty_level_is_no_level(study, tmp_path, only):
    with pytest.raises(InputError, match="no run is called"):
        run_study(read_plan(str(study), []), tmp_path / "out", only=only, command=Fake())


def test_a_run_whose_folder_cannot_be_made_is_an_error(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "runs" / plan.runs[0].name).write_text("in the way")
    with pytest.raises(InputError, match="this folder cannot be made"):
        run_study(plan, out, command=Fake())


def test_results_that_nobody_answers_for_are_not_taken(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake())
    (out / "runs" / plan.runs[0].name / "run.json").unlink()
    with pytest.raises(InputError, match=r"lacks run\.json"):
        run_study(plan, out, command=Fake())
