"""The package holds nothing that runs what a file says: no unpickling, no eval, no shell."""

import ast
import re
from pathlib import Path

import pytest

import carcinosis_loc

ROOT = Path(carcinosis_loc.__file__).parents[1]
SOURCES = sorted(Path(carcinosis_loc.__file__).parent.rglob("*.py"))
NEVER = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"}
NEVER |= {"os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "torch.hub.load", "runpy.run_path"}
MODULES = {"dill", "joblib", "shelve", "marshal", "cloudpickle", "jsonpickle", "pty", "code"}


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def findings(text):
    """What a source does that it must not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            if name in NEVER or re.match(r"os\.(exec|spawn|posix_spawn)", name):
                yield name
            if name == "torch.load" and given.get("weights_only") is not True:
                yield "torch.load without weights_only=True"
            if "shell" in given and given["shell"] is not False:
                yield "shell="
            if name in ("np.load", "numpy.load") and given.get("allow_pickle"):
                yield "allow_pickle"
        if (
            isinstance(node, ast.Attribute)
            and dotted(node).startswith("pickle.")
            and dotted(node) != "pickle.UnpicklingError"
        ):
            yield dotted(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom):
            forbidden = {*MODULES, "pickle", "_pickle"}
            yield from [node.module] if (node.module or "").split(".")[0] in forbidden else []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_a_file_says(path):
    assert list(findings(path.read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "torch.load(p, weights_only=flag)",
        "pickle.loads(b)",
        "from pickle import loads",
        "import joblib",
        "eval(x)",
        "os.execv(a, b)",
        "subprocess.run(x, shell=True)",
        "subprocess.run(x, shell=flag)",
        "yaml.load(t)",
        "np.load(p, allow_pickle=True)",
    ],
)
def test_it_would_be_noticed(text):
    assert list(findings(text))


def test_torch_load_stands_in_one_place():
    assert [path.name for path in SOURCES if "torch.load(" in path.read_text()] == ["weights.py"]
