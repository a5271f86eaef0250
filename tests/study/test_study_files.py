"""Study files: the shipped ones, their data, and what is refused."""

import datetime
import json
import re

import pytest
from studies import STUDY, WITH_DATA, Fake, written

from carcinosis_loc.cli import main
from carcinosis_loc.configs import read_config, shipped_folder
from carcinosis_loc.errors import InputError
from carcinosis_loc.study import read_plan, run_study


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 2}, "format is 2"),
        ({"config": None}, "config"),
        ({"factors": {}}, "factors"),
        ({"factors": {"loss": {}}}, "factors.loss"),
        ({"factors": {"loss": {"a": "b"}}}, "factors.loss.a"),
        ({"factors": {"loss": {"a/b": {}}}}, "a/b"),
        ({"options": ["x"]}, "options"),
        ({"extra": 1}, "extra"),
        ({"format": True}, "format is True"),
        ({"factors": {"f1": {"a": {}}}}, "factors.f1: a column of the results has this name"),
        ({"factors": {"loss": {True: {}, "True": {}}}}, "factors.loss: two of its levels are spelt alike"),
        ({"options": {"model.loss.lam": datetime.date(2020, 1, 1)}}, "options: model.loss.lam: a date is no value"),
        ({"options": {"model.loss.lam": float("nan")}}, "options: model.loss.lam: a float is no value"),
    ],
)
def test_a_file_that_is_no_study_is_refused(change, named, tmp_path, capsys):
    path = written(tmp_path / "bad.yaml", STUDY | change)
    assert main(["study", str(path), str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "bad.yaml" in err
    assert named in err
    assert not (tmp_path / "out").exists()


def test_a_level_that_stands_there_twice_is_not_lost(tmp_path, capsys):
    path = tmp_path / "twice.yaml"
    path.write_text("format: 1\nconfig: demo.yaml\nfactors:\n  loss:\n    a: {}\n    b: {}\n    a: {}\n")
    assert main(["study", "--sweep", str(path), str(tmp_path / "out")]) == 2
    assert "the key 'a' is there twice" in capsys.readouterr().err


def test_anchors_may_be_merged(tmp_path):
    path = tmp_path / "merged.yaml"
    path.write_text("x: &x {a: 1}\ny: &y {b: 2}\nz:\n  <<: *x\n  <<: *y\n")
    assert read_config(path)["z"] == {"a": 1, "b": 2}


def test_a_sweep_is_of_all_runs_and_says_where_its_dashboards_are(study, tmp_path, capsys):
    assert main(["study", "--only", "loss=mse", "--sweep", str(study), str(tmp_path / "out")]) == 2
    assert "--only" in capsys.readouterr().err
    assert main(["study", "--sweep", str(study), str(tmp_path / "out")]) == 0
    assert "add --wandb online" in capsys.readouterr().out
    assert main(["study", "--sweep", str(study), str(tmp_path / "out"), "--wandb", "online"]) == 0
    assert "add --wandb online" not in capsys.readouterr().out


def test_an_unknown_study_lists_the_shipped_ones(capsys, tmp_path):
    assert main(["study", "nope.yaml", str(tmp_path)]) == 2
    assert "losses.yaml" in capsys.readouterr().err


STUDIES = sorted((shipped_folder() / "studies").glob("*.yaml"))

FOLDERS = {name: name for name in ("out", "nuclei", "retina")}


def runs_with_something_new():
    """Of each study the first run; and of all studies together, one for each kind of level (paths count as equal)."""
    seen = set()
    for path in STUDIES:
        plan = read_plan(path.name, ["--data.image_dir", "d"], FOLDERS)
        factors = read_config(path)["factors"]
        for run in plan.runs:
            own = {
                json.dumps(factors[name][level], sort_keys=True) for name, level in run.levels.items() if name != "seed"
            }
            kinds = {re.sub(r'"[^"]*\{\w+\}[^"]*"', "PATH", text) for text in own} | {path.name}
            if kinds - seen:
                seen |= kinds
                yield pytest.param(run.fit, id=f"{path.stem}:{run.name}")


@pytest.mark.parametrize("fit", list(runs_with_something_new()))
def test_runs_of_shipped_studies_parse(fit, capsys):
    assert main([*fit, "--print_config"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_shipped_studies_are_grids(path):
    assert len(read_plan(path.name, ["--data.image_dir", "d"], FOLDERS).runs) >= 12


def test_folders_stand_in_for_their_names_and_data_is_made_once(tmp_path):
    study, out = written(tmp_path / "s.yaml", WITH_DATA), str(tmp_path / "out")
    folders = {"out": out, "marks": "m"}
    plan = read_plan(str(study), [], folders)
    assert plan.runs[0].fit[-4:] == ("--data.train_json", f"{out}/few.json", "--seed_everything", "0")
    fake = Fake(fails=["seed=1"])
    assert len(run_study(plan, tmp_path / "out", command=fake)) == 2
    made = [["synth", f"{out}/data", "--n-train", "4"], ["thin", "m/all.json", f"{out}/few.json", "--per-frame", "2"]]
    assert fake.told[:2] == made
    again = Fake()
    assert run_study(plan, tmp_path / "out", command=again) == []
    assert {words[0] for words in again.told} == {"fit", "test"}
    other = read_plan(str(written(tmp_path / "t.yaml", WITH_DATA | {"prepare": ["synth {out}/other"]})), [], folders)
    with pytest.raises(InputError, match=r"prepared\.json: the data was made in another way"):
        run_study(other, tmp_path / "out", command=Fake())


def test_data_that_cannot_be_made_ends_the_study_before_a_run(tmp_path):
    class NoRoom(Fake):
        def __call__(self, words, log):
            return 2 if words[0] == "thin" else 0

    study = written(tmp_path / "s.yaml", WITH_DATA)
    plan = read_plan(str(study), [], {"out": str(tmp_path / "out"), "marks": "m"})
    with pytest.raises(InputError, match=r"thin m/all\.json .* failed; see .*prepare\.log"):
        run_study(plan, tmp_path / "out", command=NoRoom())
    assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"prepare": "synth x"}, "prepare: must be a list"),
        ({"prepare": ["rm -rf x"]}, "prepare: rm: only synth, thin and fit"),
        ({"prepare": [" "]}, "prepare: must be a list"),
        ({"prepare": ['synth "{out}']}, "prepare: a quotation is not closed"),
        ({"reference": {"labels": "none"}}, "reference: labels: none"),
        ({"reference": {"colour": "all"}}, "reference: colour: all"),
        ({"reference": "all"}, "reference: must map"),
        ({"skip": {"labels": "all"}}, "skip: must be a list"),
        ({"skip": [{}]}, "skip: must be a list"),
        ({"skip": [{"labels": ["few", "none"]}]}, "skip: labels: none: no factor has this level"),
        ({"skip": [{"colour": "red"}]}, "skip: colour: red"),
        ({"skip": [{"labels": [["few"]]}]}, "skip: labels"),
        ({"skip": [{"labels": ["few", "all"]}]}, "skip: leaves no run"),
        ({"config": "{other}/c.yaml"}, "needs the folder other; say where it is: --folder other=PATH"),
    ],
)
def test_what_is_wrong_about_data_and_reference_is_named(tmp_path, change, word):
    study = written(tmp_path / "s.yaml", WITH_DATA | change)
    with pytest.raises(InputError, match=word):
        read_plan(str(study), [], {"out": "o", "marks": "m"})


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        ([], ["mse,seed=0", "mse,seed=1", "hill,seed=0", "hill,seed=1"]),
        ([{"loss": "mse"}], ["hill,seed=0", "hill,seed=1"]),
        ([{"loss": "mse", "seed": 1}], ["mse,seed=0", "hill,seed=0", "hill,seed=1"]),
        ([{"loss": ["mse", "hill"], "seed": "0"}, {"loss": "hill"}], ["mse,seed=1"]),
    ],
)
def test_levels_that_make_no_sense_together_are_left_out(skip, left, tmp_path):
    plan = read_plan(str(written(tmp_path / "s.yaml", STUDY | {"skip": skip})), [])
    assert [run.name for run in plan.runs] == [f"loss={name}" for name in left]


@pytest.mark.parametrize("given", ["nuclei", "nuclei=", "=x", "out=.", "nuclei=no/such"])
def test_a_folder_that_is_none_is_refused(study, tmp_path, capsys, given):
    assert main(["study", "--folder", given, str(study), str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert f"--folder {given}" in message
    assert message.count("\n") == 1
