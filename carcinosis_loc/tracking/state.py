"""An atlas as plain values: numbers, text, lists and dictionaries, as JSON can hold them."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from carcinosis_loc.tracking.atlas import Atlas, KeyFrame
from carcinosis_loc.tracking.similarity import Similarity
from carcinosis_loc.tracking.view import View


def plain_atlas(atlas: Atlas) -> dict[str, Any]:
    """All that an atlas knows."""
    return {
        "max_key_frames": atlas.max_key_frames,
        "key_frames": [_plain_key_frame(key_frame) for key_frame in atlas.key_frames.values()],
        "before": None if atlas.before is None else _plain_view(atlas.before),
        "current": atlas.current,
        "pose": _plain_similarity(atlas.pose),
        "moved": _plain_similarity(atlas.moved),
        "recognised": atlas.recognised,
        "clock": atlas.clock,
        "n_made": atlas.n_made,
        "next_try": atlas.next_try,
    }


def atlas_of(plain: Mapping[str, Any]) -> Atlas:
    """The atlas that ``plain_atlas`` was given, bit for bit."""
    key_frames = [_key_frame_of(item) for item in plain["key_frames"]]
    return Atlas(
        plain["max_key_frames"],
        {key_frame.number: key_frame for key_frame in key_frames},
        None if plain["before"] is None else _view_of(plain["before"]),
        plain["current"],
        _similarity_of(plain["pose"]),
        _similarity_of(plain["moved"]),
        plain["recognised"],
        plain["clock"],
        plain["n_made"],
        plain["next_try"],
    )


def _plain_key_frame(key_frame: KeyFrame) -> dict[str, Any]:
    places, descriptors = key_frame.features
    return {
        "number": key_frame.number,
        "map_number": key_frame.map_number,
        "place": _plain_similarity(key_frame.place),
        "size": list(key_frame.size),
        "places": _plain_array(places),
        "descriptors": _plain_array(descriptors.astype(np.uint8)),
        "visited": key_frame.visited,
    }


def _key_frame_of(plain: Mapping[str, Any]) -> KeyFrame:
    features = (_array_of(plain["places"]), _array_of(plain["descriptors"]).astype(np.float32))
    height, width = plain["size"]
    place = _similarity_of(plain["place"])
    return KeyFrame(plain["number"], plain["map_number"], place, (height, width), features, plain["visited"])


def _plain_view(view: View) -> dict[str, Any]:
    return {"grey": _plain_array(view.grey), "size": list(view.size)}


def _view_of(plain: Mapping[str, Any]) -> View:
    height, width = plain["size"]
    return View(_array_of(plain["grey"]), (height, width))


def _plain_similarity(motion: Similarity) -> list[float]:
    return [motion.turn.real, motion.turn.imag, motion.shift.real, motion.shift.imag]


def _similarity_of(plain: list[float]) -> Similarity:
    return Similarity(complex(plain[0], plain[1]), complex(plain[2], plain[3]))


def _plain_array(array: npt.NDArray[Any]) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def _array_of(plain: Mapping[str, Any]) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(plain["data"]), plain["dtype"]).reshape(plain["shape"]).copy()
