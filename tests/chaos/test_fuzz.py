"""A share of the fuzz: every kind of input, by hypothesis and by chance; `make chaos` tries 20,000 cases."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_labels import attempt, labels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources import Source
from tally import REFUSED, SUCCESS

FUZZ = Path(__file__).with_name("fuzz.py")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.integers(0, 2**64))
def test_label_files_are_read_or_refused(tmp_path_factory, data, seed):
    case = labels(Source(lambda low, high: data.draw(st.integers(low, high))))
    assert attempt(case, tmp_path_factory.mktemp("labels")) in (SUCCESS, REFUSED)


def test_a_share_of_all_kinds(tmp_path):
    """In processes of their own, inside the limits of time and memory; what goes through training is left to chaos."""
    cases = ["--cases", "600", "--seed", "1", "--without", "atheris", "--without", "hypothesis"]
    command = [sys.executable, str(FUZZ), *cases, "--kinds", "labels,images,configs,predictions,results,studies"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    tried, refused = re.match(r"fuzz: (\d+) cases, (\d+) refused, 0 failures", last).groups()
    assert int(tried) > 400  # 600, less the share of what is left out
    assert 0 < int(refused) < int(tried)


@pytest.mark.parametrize(
    ("sabotage", "word"),
    [
        ("raise KeyError('x')", "KeyError"),
        ("bytearray(4 * 2**30)", "MemoryError"),
        ("__import__('os')._exit(3)", "the process ended with 3"),
        ("import carcinosis_loc.errors as e; raise e.InputError('')", "an empty line"),
    ],
)
def test_what_goes_wrong_is_counted(sabotage, word, tmp_path):
    """The fuzz itself: a crash, a death, too much memory or an empty line is a failure and not a refusal."""
    (tmp_path / "sitecustomize.py").write_text("")
    code = f"""
import sys
sys.path[:0] = [{str(FUZZ.parent)!r}, {str(FUZZ.parents[1])!r}]
import fuzz
from pathlib import Path
def attempt(case, folder):
    return fuzz.outcome(call)
def call():
    {sabotage}
family = fuzz.Family("x", lambda source: source.integer(0, 9), attempt)
if "--work" in sys.argv:
    fuzz.family_called = lambda name: family
    fuzz.main()
else:
    fuzz.__file__ = __file__
    tally = fuzz.fuzz("x", 3, 0, "random", Path({str(tmp_path)!r}))
    print(tally.tried, tally.failures)
"""
    (tmp_path / "try.py").write_text(code)
    done = subprocess.run([sys.executable, str(tmp_path / "try.py")], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "3 3", done.stdout + done.stderr
    assert word in done.stdout
