"""From a checkpoint to an ONNX file."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import onnx
import onnx.compose
import torch
from onnxscript import optimizer
from torch import Tensor, nn

from carcinosis_loc.export.decoding import IR_VERSION, back_graph, front_graph
from carcinosis_loc.export.metadata import KEY
from carcinosis_loc.export.reading import weights_digest
from carcinosis_loc.export.trained import Trained
from carcinosis_loc.models import HeatmapNet

OPSET = 18
_DIMENSIONS = {
    "image": ("batch", 3, "height", "width"),
    "valid": ("batch", 1, "height", "width"),
    "points": ("batch", "most", 2),
    "scores": ("batch", "most"),
    "count": ("batch",),
    "logits": ("batch", 1, "rows", "columns"),
}


def onnx_model(trained: Trained) -> onnx.ModelProto:
    """The whole way from pixels to points as an ONNX model, with its description.

    The network's own graph is made of convolutions and the like, in which no size is written; so it is traced at one
    size, and what depends on sizes is written by hand around it.
    """
    net, metadata = trained
    whole = onnx.GraphProto(name="carcloc")
    parts = {"front": front_graph(net), "net": _network_graph(net), "back": back_graph(metadata.decoder, net.stride)}
    for name, part in parts.items():
        # Their ends meet by their names, "prepared" and "padded".
        onnx.compose.add_prefix(part, f"{name}/", rename_inputs=False, rename_outputs=False, inplace=True)
        whole.node.extend(part.graph.node)
        whole.initializer.extend(part.graph.initializer)
    whole.input.extend([_value("image", onnx.TensorProto.UINT8), _value("valid", onnx.TensorProto.BOOL)])
    whole.output.extend([_value(name, onnx.TensorProto.FLOAT) for name in ("points", "scores")])
    whole.output.extend([_value("count", onnx.TensorProto.INT64), _value("logits", onnx.TensorProto.FLOAT)])
    model = onnx.helper.make_model(
        whole,
        producer_name="carcinosis_loc",
        producer_version=metadata.version,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    # Among others this makes each CastLike a Cast: ONNX Runtime warns of the former.
    model = cast(onnx.ModelProto, optimizer.optimize(model))
    for node in model.graph.node:  # where the code lay on the machine that exported it is nobody's business
        del node.metadata_props[:]
        node.ClearField("doc_string")
    metadata = replace(metadata, weights_sha256=weights_digest(model))
    onnx.helper.set_model_props(model, {KEY: metadata.text()})
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, kind: int) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, kind, _DIMENSIONS[name])


def _network_graph(net: HeatmapNet) -> onnx.ModelProto:
    """Backbone and head: ``prepared`` -> ``padded``."""

    class Core(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = copy.deepcopy(net.backbone), copy.deepcopy(net.head)

        def forward(self, prepared: Tensor) -> Tensor:
            return self.head(self.backbone(prepared))  # type: ignore[no-any-return]

    example = torch.zeros(2, 3, 2 * net.multiple, 3 * net.multiple)
    with _silence(), torch.no_grad():
        program = torch.onnx.export(
            Core().eval(),
            (example,),
            dynamo=True,
            input_names=["prepared"],
            output_names=["padded"],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return onnx.load_from_string(program.model_proto.SerializeToString())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter tells of packages that nobody needs, and of its own deprecations."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
