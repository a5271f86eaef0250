"""Starting weights: read without running anything, mapped onto our names, and reported."""

import logging
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from carcinosis_loc.errors import InputError

logger = logging.getLogger(__name__)

# Longest first: our own checkpoints; mmpose's; OpenMMLab's of an ImageNet classifier; bare state dicts.
_PREFIXES = ("net.backbone.body.", "backbone.body.", "module.backbone.", "backbone.", "module.", "model.", "")

# Parts by which PyTorch's files of programs are known: TorchScript's, and torch.export's new and old ones.
_PROGRAMS = {"constants.pkl", "archive_format", "serialized_exported_program.json"}


@dataclass(frozen=True)
class WeightReport:
    """Which tensors of a file found their place.

    Attributes:
        matched: names in the network that were filled.
        missing: names in the network that the file does not have.
        unused: names in the file that the network does not have.
        reshaped: names that both have with different shapes; left as they were.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    reshaped: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.matched)} tensors matched, {len(self.missing)} missing, "
            f"{len(self.reshaped)} of another shape, {len(self.unused)} unused"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``: no code in it can run.

    Raises:
        InputError: the file is missing, is no checkpoint, or holds objects other than tensors and plain values.
    """
    if not path.is_file():
        inside = path / "checkpoints" / "best.ckpt"
        hint = f"; did you mean {inside}?" if inside.is_file() else ""
        raise InputError(f"{path}: no such checkpoint file{hint}")
    try:
        torn = _torn_part(path)
        if torn is not None:
            raise InputError(f"{path}: is a damaged checkpoint: its part {torn} has changed since it was written")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        reason = str(error).split("WeightsUnpickler error:")[-1].split("\n")[0].strip()
        raise InputError(
            f"{path}: refused: it is no checkpoint, or holds more than tensors and plain values ({reason[:120]}); "
            "save its state_dict alone where you trust it"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:  # nothing was taken: the size stands in the file, and the machine said no
        raise InputError(f"{path}: refused: it asks for more memory than there is") from error
    except Exception as error:  # torch raises whatever a damaged archive leads it to
        raise InputError(f"{path}: is no checkpoint, or a damaged one ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no checkpoint: it holds a {type(content).__name__}, not a dictionary")
    return content


def _torn_part(path: Path) -> str | None:
    """The first part of a checkpoint whose checksum is wrong: torch writes checksums but does not look at them.

    Raises:
        InputError: a few bytes that would unpack to many; or a program.
    """
    if not zipfile.is_zipfile(path):
        return None  # torch's old format, or no checkpoint at all
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if {name.split("/")[-1] for name in archive.namelist()} & _PROGRAMS:
            raise InputError(
                f"{path}: refused: it is a TorchScript or torch.export file, and to open one is to run what is in it; "
                "give the checkpoint, or an .onnx file of carcloc export"
            )
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise InputError(f"{path}: refused: its parts are compressed, which torch never does")
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise InputError(f"{path}: refused: its parts are larger than the file")
        return archive.testzip()


def load_weights(net: nn.Module, path: Path) -> WeightReport:
    """Fill a ``HeatmapNet`` from mmpose's, ImageNet's or our own checkpoint, and log what matched.

    The backbone's tensors are looked for under the prefixes that these files use; the head's only under ours. Where
    nothing matches, the file is of another network and is refused.

    Raises:
        InputError: see ``read_checkpoint``; or no tensor of the backbone matches.
    """
    content = read_checkpoint(path)
    tensors = _tensors(content)
    own = net.state_dict()
    renamed = max((_rename(tensors, prefix) for prefix in _PREFIXES), key=lambda names: _hits(names, tensors, own))
    fitting = {name: tensors[source] for name, source in renamed.items() if name in own}
    reshaped = tuple(name for name, tensor in fitting.items() if tensor.shape != own[name].shape)
    matched = {name: tensor for name, tensor in fitting.items() if name not in reshaped}
    if not any(name.startswith("backbone.") for name in matched):
        raise InputError(f"{path}: none of its {len(tensors)} tensors fits this backbone; it is of another network")
    net.load_state_dict(matched, strict=False)
    used = {renamed[name] for name in fitting}
    report = WeightReport(
        matched=tuple(matched),
        missing=tuple(name for name in own if name not in fitting),
        unused=tuple(name for name in tensors if name not in used),
        reshaped=reshaped,
    )
    logger.info("%s: %s", path, report)
    return report


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, under the usual keys or bare."""
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _rename(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, str]:
    """Our name -> the file's name, for a file whose backbone lies under ``prefix``."""
    names = {f"backbone.body.{name[len(prefix) :]}": name for name in tensors if name.startswith(prefix)}
    ours = {name.removeprefix("net."): name for name in tensors if name.removeprefix("net.").startswith("head.")}
    return names | ours


def _hits(renamed: Mapping[str, str], tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    return sum(name in own and own[name].shape == tensors[source].shape for name, source in renamed.items())
