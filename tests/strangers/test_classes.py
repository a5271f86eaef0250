"""What a config may name, and what is said of it."""

import logging
import os
import subprocess
import sys

import pytest
from tiny_run import fit_words

from carcinosis_loc.cli import main
from carcinosis_loc.configs import read_config, shipped_folder, shipped_names
from carcinosis_loc.errors import InputError
from carcinosis_loc.trust import VARIABLE, say_what_is_foreign

# One process for many configs: what the parser may import is settled once a process.
TRY = """
import sys
from carcinosis_loc.cli import main
for path in sys.argv[1:]:
    print(path, main(["fit", "--config", "demo.yaml", "--config", path, "--print_config"]), file=sys.stderr)
"""
CALLBACK = "trainer: {{callbacks: [{{class_path: {}}}]}}"
OPTIMIZER = "model: {{optimizer: {{class_path: {}, init_args: {{lr: 0.1}}}}}}"
ALWAYS = [
    "model: {optimizer: os.system}",
    "model: {scheduler: os.abort}",
    "model: {scheduler: carcinosis_loc.files.os.abort}",
    "model: {loss: {class_path: subprocess.Popen, init_args: {args: [touch, went_off]}}}",
    "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.LambdaCallback,"
    " init_args: {on_fit_start: os.abort}}]}",
]


def codes_and_lines(tmp_path, texts, **environment):
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    (tmp_path / "elsewhere.py").write_text(
        "from lightning.pytorch import Callback\nopen('imported', 'w')\nclass Mine(Callback):\n    pass\n"
    )
    words = [sys.executable, "-c", TRY, *(f"{number}.yaml" for number in range(len(texts)))]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path} | environment
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    return done.stderr.splitlines(), done.stdout


def test_restricted_configs_name_what_is_trusted(tmp_path):
    texts = [
        CALLBACK.format("lightning.pytorch.callbacks.LearningRateMonitor"),
        OPTIMIZER.format("torch.optim.RMSprop"),
        "model: {loss: {class_path: carcinosis_loc.losses.Hill}}",
        CALLBACK.format("elsewhere.Mine"),
        "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.LambdaCallback,"
        " init_args: {on_fit_start: torch.hub.list}}]}",
        *ALWAYS,
    ]
    lines, _ = codes_and_lines(tmp_path, texts, **{VARIABLE: ""})
    assert lines[:3] == ["0.yaml 0", "1.yaml 0", "2.yaml 0"]
    refusals = lines[3:]
    assert refusals[1::2] == [f"{number}.yaml 2" for number in range(3, len(texts))]  # after one line each
    assert all(line.startswith("carcloc: ") for line in refusals[::2])
    assert refusals[0].startswith("carcloc: 3.yaml: ")
    assert f"elsewhere.Mine may not be named: {VARIABLE} restricts configs" in refusals[0]
    assert not (tmp_path / "imported").exists()


def test_further_classes_can_be_trusted_by_name(tmp_path):
    texts = [CALLBACK.format("elsewhere.Mine"), OPTIMIZER.format("torch.nn.Linear")]
    lines, said = codes_and_lines(tmp_path, texts, **{VARIABLE: "elsewhere, another.package"})
    assert (lines[0], lines[2]) == ("0.yaml 0", "1.yaml 2")
    assert "0.yaml names elsewhere.Mine, which is code from elsewhere, and it runs" in said


@pytest.mark.parametrize("text", ALWAYS)
def test_what_runs_commands_is_never_named(text, spots, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    assert main([*fit_words(spots, tiny, tmp_path / "out"), "--config", "c.yaml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "may not be named by a config: it runs commands or code" in line
    assert os.listdir(tmp_path) == ["c.yaml"]


def test_a_variable_that_lists_no_import_paths_is_refused(monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, "a b")
    assert main(["fit", "--config", "demo.yaml", "--print_config"]) == 2
    assert VARIABLE in capsys.readouterr().err


def test_foreign_classes_are_spoken_of(tmp_path, caplog):
    (tmp_path / "ours.yaml").write_text("model: {loss: {class_path: carcinosis_loc.losses.Hill}}")
    (tmp_path / "theirs.yaml").write_text(CALLBACK.format("elsewhere.Mine"))
    with caplog.at_level(logging.WARNING):
        say_what_is_foreign([str(tmp_path / "ours.yaml"), *(str(shipped_folder() / name) for name in shipped_names())])
        assert caplog.text == ""
        say_what_is_foreign([str(tmp_path / "theirs.yaml")])
    assert "theirs.yaml names elsewhere.Mine" in caplog.text


@pytest.mark.parametrize(
    "tag", ["object/apply:os.system [touch went_off]", "name:os.system", "object:os.x {}", "tuple []"]
)
def test_yaml_builds_no_objects(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(f"a: !!python/{tag}")
    with pytest.raises(InputError, match=r"c\.yaml: is no YAML"):
        read_config("c.yaml")
    assert os.listdir(tmp_path) == ["c.yaml"]


@pytest.mark.parametrize(
    "value", ["!!python/object/apply:os.system [touch went_off]", "http://localhost:1/x.yaml", "memory://x"]
)
def test_values_build_no_objects_and_fetch_nothing(value, spots, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["--model.loss", value], ["--trainer", value], ["--data", value]):
        assert main([*fit_words(spots, tiny, tmp_path / "out"), *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert os.listdir(tmp_path) == []


def test_anchors_of_anchors_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="unfolds to more than 100000 entries"):
        read_config(tmp_path / "c.yaml")


NONE = ["a: &a [*a]", "a: " + "[" * 60 + "]" * 60, "? [1]\n: 2", "a: 2001-99-99", "a: " + "9" * 5000]


@pytest.mark.parametrize("text", [*NONE, "a: !!timestamp x", "a: !!int ''"])
def test_configs_that_are_none(text, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=r"c\.yaml: "):
        read_config(tmp_path / "c.yaml")
