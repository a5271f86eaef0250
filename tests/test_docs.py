"""Docs stay true: links lead somewhere, named files and targets exist, the README's commands run."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from carcinosis_loc.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page):
    """Lines of the fenced blocks without a language."""
    text = page.read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [line for language, block in fenced if not language for line in block.splitlines()]


def carcloc_lines(page):
    return [line for line in blocks(page) if line.startswith("carcloc ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path) if path else page
        assert goal.exists(), f"{page.name}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", goal.read_text(), re.M)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_are_named_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(re.findall(r"`([^`]*)`", page.read_text()))))
    named |= {line.split()[1] for line in blocks(page) if line.startswith("make ")}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_and_modules_that_are_named_exist(page):
    for path in re.findall(r"`((?:tests|carcinosis_loc|configs|docs)/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_readmes_commands_run(spots, tmp_path, monkeypatch):
    """As they stand, in a folder with the files that they name, and with a config that makes the network small."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(spots, tmp_path, dirs_exist_ok=True)
    small = {
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        "wandb": "off",
        "data": {"image_size": [64, 64], "num_workers": 0},
    }
    shutil.copy(tmp_path / "test.json", tmp_path / "marked.json")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    lines = [line for line in carcloc_lines(ROOT / "README.md") if "..." not in line]
    assert [line.split()[1] for line in lines] == ["fit", "test", "predict", "calibrate"]
    for line in lines:
        words = shlex.split(line)[1:]
        more = ["--config", "small.yaml"] + (["--config", "hrnet_small.yaml"] if words[0] == "fit" else [])
        assert main([*words, *more]) == 0, line
    assert json.loads((tmp_path / "runs/hrnet_cat/metrics.json").read_text())["n_images"] == 6
    assert (tmp_path / "runs/hrnet_cat/predictions/points.csv").exists()


def test_other_commands_in_the_docs_parse(tmp_path, monkeypatch, capsys):
    """Those with data of their own: every option is one that the command knows."""
    monkeypatch.chdir(tmp_path)
    lines = [line for page in PAGES[1:] for line in carcloc_lines(page)]
    lines += [line for line in carcloc_lines(ROOT / "README.md") if "..." in line]
    helps: dict[str, str] = {}
    for line in lines:
        words = [word for word in shlex.split(line)[1:] if word not in ("...", "…")]
        if words[0] == "fit":
            assert main([*words, "--print_config"]) == 0, line
        else:
            if words[0] not in helps:
                capsys.readouterr()
                assert main([words[0], "--help"]) == 0
                helps[words[0]] = capsys.readouterr().out
            known = helps[words[0]]
            if words[0] == "study":  # what follows the study and its folder is for fit
                words = words[: next(i for i, word in enumerate(words) if word.endswith(".yaml")) + 2]
            for flag in (word for word in words if word.startswith("--")):
                name = flag.partition("=")[0]  # help lists an object's class, not each of its arguments
                assert name in known or name.rpartition(".")[0] in known, line


def test_the_readme_tells_its_python_example_true(spots, tmp_path):
    """The names in the example exist and behave as the comments say."""
    import carcinosis_loc
    from carcinosis_loc.localizer import Localizer
    from carcinosis_loc.points import Peaks

    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    assert "carcinosis_loc.load(" in code
    assert carcinosis_loc.load.__module__ == "carcinosis_loc.localizer"
    assert Localizer.__call__.__annotations__["return"] is Peaks
