"""Exported files, read with suspicion: they may come from a stranger, or be of something else."""

import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from carcinosis_loc.errors import InputError
from carcinosis_loc.export.metadata import KEY, Metadata

MAX_BYTES = 2**31 - 1  # what a protobuf message may hold
_INPUTS, _OUTPUTS = {"image", "valid"}, {"points", "scores", "count", "logits"}


def needed(name: str, path: Path) -> Any:
    """A package of the extra ``export``.

    Raises:
        InputError: it is not installed; the message holds the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"{path}: exported files need the package {name} ({error}); pip install 'carcinosis-loc[export]'"
        ) from error


def read_exported(path: Path) -> tuple[bytes, Metadata]:
    """The content of a file of ``carcloc export``, checked, and what it says of itself.

    Nothing in it can make a runtime open another file or load a library: weights outside the file and operators that
    are not ONNX's own are refused.

    Raises:
        InputError: there is no such file; it is no ONNX, damaged, of another model, or says more than it may.
    """
    onnx = needed("onnx", path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than 2 GiB, which no ONNX file is that carcloc writes")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf raises its own kinds
        raise InputError(f"{path}: is no ONNX file, or a damaged one; export it anew") from error
    if not model.graph.node:
        raise InputError(f"{path}: is no ONNX file: it holds no graph")
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if KEY not in texts:
        raise InputError(f"{path}: is an ONNX file of another model; carcloc export writes those that predict can use")
    metadata = Metadata.read(path, texts[KEY])
    _check(path, model)
    if weights_digest(model) != metadata.weights_sha256:
        raise InputError(f"{path}: its weights have changed since it was written; export it anew")
    try:
        onnx.checker.check_model(content)
    except Exception as error:  # of many kinds
        raise InputError(f"{path}: is no valid ONNX model ({_first_line(error)})") from error
    return content, metadata


def weights_digest(model: Any) -> str:
    """SHA-256 of the weights of a model, in their order."""
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(f"{tensor.name} {tensor.data_type} {list(tensor.dims)}".encode())
        digest.update(tensor.raw_data)
    return digest.hexdigest()


def _check(path: Path, model: Any) -> None:
    external = model.graph.sparse_initializer or model.functions or model.training_info
    for graph in _graphs(model.graph):
        external = external or any(tensor.external_data or tensor.data_location for tensor in _tensors(graph))
        foreign = [node for node in graph.node if node.domain not in ("", "ai.onnx")]
        if foreign:
            raise InputError(
                f"{path}: needs the operator {foreign[0].domain!s:.40}.{foreign[0].op_type!s:.40}, which is none of "
                "ONNX's own; refused"
            )
    if external:
        raise InputError(f"{path}: keeps weights or functions outside its graph; refused: carcloc export does not")
    names = {value.name for value in model.graph.input}, {value.name for value in model.graph.output}
    if names != (_INPUTS, _OUTPUTS):
        raise InputError(f"{path}: has other inputs and outputs than carcloc export gives; export it anew")


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                if inner.node:
                    yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from [attribute.t, *attribute.tensors]
            for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                yield from [sparse.values, sparse.indices]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
