"""Studies: what they run, that nothing is run twice or passed off as something else, and what they report."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.cli import main
from carcinosis_loc.configs import read_config, shipped_folder
from carcinosis_loc.errors import InputError
from carcinosis_loc.study import read_plan, run_study, write_report
from carcinosis_loc.study.report import f1_interval, read_run

STUDY = {
    "format": 1,
    "config": "demo.yaml",
    "options": {"wandb": "off", "data.image_dir": "images"},
    "factors": {
        "loss": {"mse": {"model.loss": "carcinosis_loc.losses.HeatmapMSE"}, "hill": {"model.loss.lam": 1.0}},
        "seed": {"0": {"seed_everything": 0}, "1": {"seed_everything": 1}},
    },
}


@pytest.fixture
def study(tmp_path):
    return written(tmp_path / "s.yaml", STUDY)


def written(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


class Fake:
    """Stands for the command line: keeps what it was told, and leaves the files that a run leaves."""

    def __init__(self, fails=()):
        self.told, self.fails = [], fails

    def __call__(self, words, log):
        self.told.append(words)
        folder = log.parent
        log.write_text("output\n")
        if any(name in str(folder) for name in self.fails):
            return 1
        (folder / "checkpoints").mkdir(exist_ok=True)
        if words[0] == "fit":
            (folder / "checkpoints" / "last.ckpt").touch()
            (folder / "checkpoints" / "best.ckpt").touch()
        if words[0] == "test":
            better = 10 if "hill" in str(folder) else 6
            figures = dict.fromkeys(("best_f1", "average_precision", "precision", "recall"), 0.9)
            metrics = figures | {"threshold": 0.3, "best_threshold": 0.2, "f1": better / 12}
            (folder / "metrics.json").write_text(json.dumps(metrics))
            rows = "\n".join(f"{i}.png,p{i % 3},{better // 2},{better},6" for i in range(9))
            (folder / "per_image.csv").write_text(f"file_name,group,tp,n_predicted,n_points\n{rows}\n")
        return 0


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
    with pytest.raises(InputError, match="no run is called nope"):
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


def test_the_report(study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake(fails=["loss=mse,seed=1"]))
    csv, table, plot = write_report(plan, out)
    lines = csv.read_text().splitlines()
    assert lines[0].startswith("loss,seed,f1,best_f1")
    assert len(lines) == 1 + 3
    rows = [row for row in table.read_text().splitlines() if row.startswith(("| mse", "| hill"))]
    assert rows[0].startswith("| mse | 1 | 0.500 [0.500, 0.500] | 0.500 to 0.500 | 0.900")
    assert rows[1].startswith("| hill | 2 | 0.833 [0.625, 0.625]")  # of the counts: 2 x 5 / (10 + 6)
    assert plot.read_bytes()[:4] == b"\x89PNG"


def test_a_report_of_nothing(study, tmp_path):
    _, table, _ = write_report(read_plan(str(study), []), tmp_path / "out")
    assert table.read_text() == "No run is done yet.\n"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_interval_holds_no_impossible_value(counts):
    table = np.array([(min(c), c[1], c[2]) for c in counts], float)
    low, high = f1_interval([table, table])
    assert 0 <= low <= high <= 1
    if len(table) == 1:
        whole = table[0, 1] + table[0, 2]
        assert low == high == pytest.approx(2 * table[0, 0] / whole if whole else 0)


def test_the_interval_is_that_of_a_plain_bootstrap():
    random = np.random.default_rng(0)
    true = random.integers(5, 30, 40)
    counts = np.column_stack([random.binomial(true, 0.8), true, true]).astype(float)
    low, high = f1_interval([counts])
    share = counts[:, 0] / counts[:, 1]
    residual = (counts[:, 0] - counts[:, 0].sum() / true.sum() * true).std() * np.sqrt(40) / true.sum()
    assert high - low == pytest.approx(2 * 1.96 * residual, rel=0.15)
    assert low < share.mean() < high


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


def test_an_unknown_study_lists_the_shipped_ones(capsys, tmp_path):
    assert main(["study", "nope.yaml", str(tmp_path)]) == 2
    assert "losses.yaml" in capsys.readouterr().err


STUDIES = sorted((shipped_folder() / "studies").glob("*.yaml"))
FOLDERS = {name: name for name in ("out", "nuclei", "retina", "pretrained")}


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


WITH_DATA = STUDY | {
    "prepare": ["synth {out}/data --n-train 4", "thin {marks}/all.json {out}/few.json --per-frame 2"],
    "reference": {"labels": "all"},
    "factors": {
        "labels": {"few": {"data.train_json": "{out}/few.json"}, "all": {"data.train_json": "{marks}/all.json"}},
        "seed": {"0": {"seed_everything": 0}, "1": {"seed_everything": 1}},
    },
}


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


def test_runs_are_compared_with_their_reference_seed_by_seed(tmp_path):
    study = written(tmp_path / "s.yaml", WITH_DATA)
    plan = read_plan(str(study), [], {"out": "o", "marks": "m"})
    run_study(plan, tmp_path / "out", "labels=few", command=Fake())
    assert "F1 / reference" in report(plan, tmp_path / "out")
    assert "| 0.500 [" in report(plan, tmp_path / "out")
    assert "0.556" not in report(plan, tmp_path / "out")  # no reference is done yet
    run_study(plan, tmp_path / "out", command=Fake())
    row = next(line for line in report(plan, tmp_path / "out").splitlines() if "few" in line)
    assert "| 0.556 | 1.000 |" in row  # F1 0.5, best F1 0.9, the reference's best F1 0.9


def report(plan, out):
    return write_report(plan, out)[1].read_text()


def test_levels_choose_the_runs(study, tmp_path):
    fake = Fake()
    run_study(read_plan(str(study), []), tmp_path / "out", "seed=1", command=fake)
    names = [words[words.index("--trainer.default_root_dir") + 1].rpartition("/")[2] for words in fake.told]
    assert names == ["loss=mse,seed=1"] * 2 + ["loss=hill,seed=1"] * 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"prepare": "synth x"}, "prepare: must be a list"),
        ({"prepare": ["rm -rf x"]}, "prepare: rm: only synth and thin"),
        ({"prepare": [" "]}, "prepare: must be a list"),
        ({"prepare": ['synth "{out}']}, "prepare: a quotation is not closed"),
        ({"reference": {"labels": "none"}}, "reference: labels: none"),
        ({"reference": {"colour": "all"}}, "reference: colour: all"),
        ({"reference": "all"}, "reference: must map"),
        ({"config": "{other}/c.yaml"}, "needs the folder other; say where it is: --folder other=PATH"),
    ],
)
def test_what_is_wrong_about_data_and_reference_is_named(tmp_path, change, word):
    study = written(tmp_path / "s.yaml", WITH_DATA | change)
    with pytest.raises(InputError, match=word):
        read_plan(str(study), [], {"out": "o", "marks": "m"})


@pytest.mark.parametrize("given", ["nuclei", "nuclei=", "=x", "out=.", "nuclei=no/such"])
def test_a_folder_that_is_none_is_refused(study, tmp_path, capsys, given):
    assert main(["study", "--folder", given, str(study), str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert f"--folder {given}" in message
    assert message.count("\n") == 1


def test_a_factor_of_three_levels_is_drawn_as_a_line(tmp_path):
    levels = {str(count): {"data.batch_size": count} for count in (1, 2, 5)}
    content = STUDY | {"factors": {"loss": STUDY["factors"]["loss"], "labels": levels}}
    plan = read_plan(str(written(tmp_path / "s.yaml", content)), [])
    run_study(plan, tmp_path / "out", "labels=1", command=Fake())
    assert [path.name for path in write_report(plan, tmp_path / "out")] == ["runs.csv", "table.md", "f1.png"]
    run_study(plan, tmp_path / "out", command=Fake())
    paths = write_report(plan, tmp_path / "out")
    assert paths[-1].name == "f1_by_labels.png"
    height, width = cv2.imread(str(paths[-1])).shape[:2]
    assert width > height > 400


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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("metrics.json", text) for text in (b"", b"[]", b"{", b"\xff\xfe", b'{"f1": 1}', b"[" * 99_999)),
        *(("done.json", text) for text in (b"", b"[]", b'{"seconds": null}', b'{"seconds": 1' + b"0" * 400 + b"}")),
        ("per_image.csv", b"group,file_name,tp,n_predicted,n_points\n,a.png,1,x,1\n"),
        ("per_image.csv", b"nothing\n1\n"),
    ],
)
def test_damaged_results_are_named(name, content, study, tmp_path):
    plan, out = read_plan(str(study), []), tmp_path / "out"
    run_study(plan, out, command=Fake())
    folder = out / "runs" / plan.runs[0].name
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"its results cannot be read .*; remove done\.json to run it again"):
        read_run(folder, plan.runs[0].levels)
