"""`make chaos`: a training is struck at random moments and resumed; the last line says how often it survived."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from kills import Training, blows
from launching import Job
from spots import draw_spots
from tiny_run import TINY

_ANEW = 5  # each fifth training is resumed in a new interpreter, the others in forks of one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first; so that several can share the work")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spots").mkdir()
        draw_spots(folder / "spots")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        training = Training(folder / "spots", str(folder / "tiny.yaml"), folder)
        Job(["--version"]).wait()  # the first job waits for imports
        began = time.monotonic()
        if training.run(folder / "wanted"):
            print("the undisturbed training failed")
            return 1
        seconds = time.monotonic() - began
        return _strike(training, range(options.first, options.first + options.trials), seconds, folder)


def _strike(training: Training, trials: range, seconds: float, folder: Path) -> int:
    survived = struck = 0
    for number, trial in enumerate(trials, 1):
        fate = blows(trial, seconds)
        differs = training.survives(folder / f"{trial}", fate, folder / "wanted", anew=trial % _ANEW == 0)
        survived += not differs
        struck += len(fate)
        named = ", ".join(map(str, fate))
        print(f"{number}/{len(trials)}: {named}: {differs[:3] or 'the same, bit for bit'}", flush=True)
        if not differs:
            shutil.rmtree(folder / f"{trial}")
    print(f"{struck} blows, {training.torn_writes} of them while a checkpoint was half written")
    print(f"survived {survived} of {len(trials)}")
    return int(survived != len(trials))


if __name__ == "__main__":
    sys.exit(main())
