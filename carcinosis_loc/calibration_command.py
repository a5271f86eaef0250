"""``carcloc calibrate``: choose the threshold of a finished checkpoint anew, and keep it there."""

from dataclasses import replace
from pathlib import Path

from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import Calibration, calibrate
from carcinosis_loc.metrics.estimates import LEAST_FOUND
from carcinosis_loc.recipe import keep_calibration, read_recipe
from carcinosis_loc.runner import run

_HELP = """\
usage: carcloc calibrate --ckpt_path C --data.image_dir D --data.val_json V [options of carcloc validate]

Choose the threshold of a finished checkpoint anew, by the labels of V, and write it into the file C itself, whole or
not at all: copy C first if you want to keep the old one, which is printed too. Where the frames of V are sparse and
what they give is not sure, a threshold that was sure stays. With --inference.views 2, 4 or 8 the network looks at
images from so many sides, and with --inference.scales [1.0,1.5] enlarged, now and whenever C is used.
carcloc validate --help lists the options.
"""


def run_calibration(words: list[str]) -> None:
    """Validate with a checkpoint and write the threshold that its labels support into it.

    Takes the options of ``carcloc validate``. The checkpoint is replaced whole or not at all. A threshold that the
    checkpoint was trained with by hand (``model.decoder.threshold``) gives way to the chosen one; one that was chosen
    and sure does not give way to one that is not.

    Raises:
        InputError: as ``run``; or the validation set holds nothing to choose a threshold by.
    """
    if {"--help", "-h"} & set(words):
        print(_HELP, end="")
        return
    try:
        cli = run(["validate", *words])
    except InputError as error:
        raise InputError(str(error).replace("carcloc validate", "carcloc calibrate")) from error
    settings = cli.config["validate"]
    chosen = calibrate(cli.model.point_f1, cli.model.sparse, labels_at_random=cli.model.labels_at_random)
    if chosen is None:
        raise InputError(
            f"{settings.data.val_json}: nothing to choose a threshold by: no exhaustive frame with points, and too few "
            f"labels found ({LEAST_FOUND} beyond chance are needed); mark a few frames exhaustively"
        )
    if cli.trainer.is_global_zero:
        _settle(Path(settings.ckpt_path), replace(chosen, look=cli.model.look))


def _settle(path: Path, chosen: Calibration) -> None:
    """Take the new threshold unless the old one is the surer, and say which it is."""
    before = read_recipe(path).calibration
    if before is not None and _is_sure(before) and not _is_sure(chosen):
        print(f"threshold of {path} stays: {before}")
        seen = "" if before.look == chosen.look else f" {chosen.look.options}"
        taken = f"--model.decoder.threshold {chosen.threshold:.3f}{seen}"
        print(f"these frames give {chosen}; {taken} takes it all the same")
        return
    keep_calibration(path, chosen)
    print(f"threshold of {path}: {chosen}" + ("" if before is None else f"\nbefore: {before}"))


def _is_sure(calibration: Calibration) -> bool:
    return calibration.rule == "exhaustive" or calibration.sureness is None or calibration.sureness.sure
