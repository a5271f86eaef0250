"""``carcloc calibrate``: choose the threshold of a finished checkpoint anew, and keep it there."""

import io
from pathlib import Path

import torch

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_bytes
from carcinosis_loc.metrics import Calibration, calibrate
from carcinosis_loc.metrics.estimates import LEAST_FOUND
from carcinosis_loc.models import read_checkpoint
from carcinosis_loc.module import CHECKPOINT_KEY
from carcinosis_loc.runner import run


def run_calibration(words: list[str]) -> None:
    """Validate with a checkpoint and write the threshold that its labels support into it.

    Takes the options of ``carcloc validate``. The checkpoint is replaced whole or not at all. A threshold that the
    checkpoint was trained with by hand (``model.decoder.threshold``) gives way to the chosen one.

    Raises:
        InputError: as ``run``; or the validation set holds nothing to choose a threshold by.
    """
    cli = run(["validate", *words])
    settings = cli.config["validate"]
    chosen = calibrate(cli.model.point_f1, cli.model.sparse)
    if chosen is None:
        raise InputError(
            f"{settings.data.val_json}: nothing to choose a threshold by: no exhaustive frame with points, and too few "
            f"labels found ({LEAST_FOUND} beyond chance are needed); mark a few frames exhaustively"
        )
    if cli.trainer.is_global_zero:
        _keep(Path(settings.ckpt_path), chosen)
        print(f"threshold of {settings.ckpt_path}: {chosen}")


def _keep(path: Path, chosen: Calibration) -> None:
    content = read_checkpoint(path)
    content[CHECKPOINT_KEY]["calibration"] = chosen.plain()
    content[CHECKPOINT_KEY]["recipe"]["model"]["decoder"].setdefault("init_args", {})["threshold"] = None
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())
