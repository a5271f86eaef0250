"""What is around the network in an exported file, in ONNX's own operators: normalising before, decoding after.

The decoding gives what ``PeakDecoder`` gives; tests/export holds the two against each other.
"""

# What is decorated is no Python that runs, but onnxscript: its annotations name dimensions.
# mypy: disable-error-code="untyped-decorator, name-defined, no-any-return, no-untyped-def"

import numpy as np
import onnx
import onnx.inliner
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, INT64, UINT8, script
from onnxscript import opset18 as op

from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.models import HeatmapNet
from carcinosis_loc.points import map_to_image

IR_VERSION = 10  # of onnx 1.16: runtimes of 2024 read it


def front_graph(net: HeatmapNet) -> onnx.ModelProto:
    """``HeatmapNet.prepared``: ``image (B, 3, H, W)`` uint8 -> ``prepared``, normalised, its edges repeated."""
    mean, std = (numpy_helper.from_array(part.cpu().numpy()) for part in (net.mean, net.std))
    multiple = numpy_helper.from_array(np.array([net.multiple]))

    @script(default_opset=op)
    def front(image: UINT8["batch", 3, "height", "width"]) -> FLOAT["batch", 3, "padded_h", "padded_w"]:  # noqa: F821
        normalised = (op.Cast(image, to=1) - op.Constant(value=mean)) / op.Constant(value=std)
        fill = op.Mod(op.Neg(op.Shape(image, start=2)), op.Constant(value=multiple))
        prepared = op.Pad(normalised, op.Concat([0, 0, 0, 0, 0, 0], fill, axis=0), mode="edge")
        return prepared

    return front.to_model_proto(ir_version=IR_VERSION)


@script(default_opset=op)
def log_sigmoid(logits):  # noqa: ANN001, ANN201
    """Of plain operators: ONNX Runtime's sigmoid stops falling at -18."""
    small = op.Exp(op.Neg(op.Abs(logits)))
    total = small + 1.0
    rest = total - 1.0
    # log(1 + small) by Kahan's formula: right to the last bits where small is tiny
    log = op.Where(rest == 0.0, small, op.Log(total) * small / op.Where(rest == 0.0, 1.0, rest))
    return op.Min(logits, 0.0) - log


@script(default_opset=op)
def vertex(flat, base, at, step, length):  # noqa: ANN001, ANN201
    """``heatmap._vertex``: along one axis, the summit of the parabola through three cells, within half a cell."""
    middle = op.Min(op.Max(at, 1), length - 2)
    before = op.Max(middle - 1, 0)
    after = op.Min(middle + 1, length - 1)
    inside = op.Min(op.Max(middle, 0), length - 1)
    left = log_sigmoid(op.GatherElements(flat, base + before * step, axis=1))
    centre = log_sigmoid(op.GatherElements(flat, base + inside * step, axis=1))
    right = log_sigmoid(op.GatherElements(flat, base + after * step, axis=1))
    curvature = left - 2.0 * centre + right
    bent = op.And(curvature < 0.0, length >= 3)
    offset = 0.5 * (left - right) / op.Where(bent, curvature, -1.0)
    cell = op.Cast(at, to=1)
    place = op.Where(bent, op.Cast(middle, to=1) + offset, cell)
    return op.Min(op.Max(place, cell - 0.5), cell + 0.5)


def back_graph(decoder: PeakDecoder, stride: int) -> onnx.ModelProto:
    """Logits with those of the padding, and ``valid (B, 1, H, W)`` bool -> points, scores, count, logits."""
    floor, top_k = max(decoder.floor, float(np.finfo(np.float32).min)), decoder.top_k
    # A radius of 0 suppresses nothing, not even what lies at the same place.
    limit = decoder.nms_radius_px**2 if decoder.nms_radius_px > 0 else -1.0
    cell_px, first_px = float(stride), float(map_to_image(np.zeros(1), stride)[0])
    window = [stride, stride]

    @script(default_opset=op)
    def back(
        padded: FLOAT["batch", 1, "padded_rows", "padded_columns"],  # noqa: F821
        valid: BOOL["batch", 1, "height", "width"],  # noqa: F821
    ) -> tuple[
        FLOAT["batch", "most", 2],  # noqa: F821
        FLOAT["batch", "most"],  # noqa: F821
        INT64["batch"],  # noqa: F821
        FLOAT["batch", 1, "rows", "columns"],  # noqa: F821
    ]:
        # The cells of the image, without the network's own padding.
        side = op.Shape(valid, start=2)
        size = (side + (stride - 1)) / stride
        logits = op.Slice(padded, [0, 0], size, [2, 3])
        rim = op.Concat([0, 0, 0, 0, 0, 0], size * stride - side, axis=0)
        whole = op.Pad(op.Cast(valid, to=1), rim, 0.0)
        allowed = op.MaxPool(whole, kernel_shape=window, strides=window) > 0.0
        # Local maxima; of adjacent equal ones the first in reading order.
        highest = op.MaxPool(logits, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        candidate = op.And(op.And(highest == logits, logits >= floor), allowed)
        earlier = op.Pad(op.Cast(candidate, to=1), [0, 0, 1, 1, 0, 0, 0, 1], 0.0)
        beside = op.Slice(earlier, [1, 0], op.Add(size, [1, 0]), [2, 3])
        above = op.Slice(op.MaxPool(earlier, kernel_shape=[1, 3]), [0], op.Slice(size, [0], [1]), [2])
        first = op.And(candidate, (beside + above) == 0.0)
        # The best of them, and where they are.
        lowest = op.Neg(op.Constant(value_float=float("inf")))
        ranked = op.Reshape(op.Where(first, logits, lowest), [0, -1])
        most = op.Min(op.Constant(value_ints=[top_k]), op.ReduceProd(size))
        best, at = op.TopK(ranked, most)
        found = best > lowest
        flat = op.Reshape(logits, [0, -1])
        rows = op.Slice(size, [0], [1])
        columns = op.Slice(size, [1], [2])
        row = at / columns
        column = at - row * columns
        x = vertex(flat, at - column, column, 1, columns) * cell_px + first_px
        y = vertex(flat, column, row, columns, rows) * cell_px + first_px
        # Greedy suppression is the one solution of "a peak stays if no better one near it stays". From all peaks on,
        # each round settles at least one more; two rounds nearly always settle everything.
        dx = op.Unsqueeze(x, [2]) - op.Unsqueeze(x, [1])
        dy = op.Unsqueeze(y, [2]) - op.Unsqueeze(y, [1])
        rank = op.Range(0, op.Squeeze(most), 1)
        better = op.Unsqueeze(rank, [1]) < op.Unsqueeze(rank, [0])
        near = op.Cast(op.And(dx * dx + dy * dy <= limit, better), to=1)
        keep = found
        unsettled = op.Constant(value_int=1) > 0
        while unsettled:
            hit = op.Squeeze(op.MatMul(op.Unsqueeze(op.Cast(keep, to=1), [1]), near), [1]) > 0.0
            settled = op.And(found, op.Not(hit))
            unsettled = op.ReduceMax(op.Cast(op.Xor(settled, keep), to=1), keepdims=0) > 0.0
            keep = op.Identity(settled)
        # Close the gaps; -1 behind the last.
        kept = op.Cast(keep, to=7)
        count = op.ReduceSum(kept, [1], keepdims=0)
        slot = op.Where(keep, op.CumSum(kept, 1) - 1, most)
        table = op.Concat(op.Unsqueeze(x, [2]), op.Unsqueeze(y, [2]), op.Unsqueeze(op.Sigmoid(best), [2]), axis=2)
        empty = op.Expand(op.Constant(value_float=-1.0), op.Concat(op.Shape(best, end=1), most + 1, [3], axis=0))
        places = op.Expand(op.Unsqueeze(slot, [2]), op.Shape(table))
        moved = op.Slice(op.ScatterElements(empty, places, table, axis=1), [0], most, [1])
        points = op.Slice(moved, [0], [2], [2])
        scores = op.Squeeze(op.Slice(moved, [2], [3], [2]), [2])
        return points, scores, count, logits

    model = back.to_model_proto(ir_version=IR_VERSION)
    return onnx.inliner.inline_local_functions(model)
