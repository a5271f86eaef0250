"""A label file that is walked says what the standard library's parser says, and is not held."""

import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.document import Document
from carcinosis_loc.annotations.thinning_of_files import thin_file
from carcinosis_loc.errors import InputError

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["annotations", "images", "", 'a "quoted" one'])
OBJECTS = st.dictionaries(KEYS, ANY | st.lists(st.dictionaries(st.text(max_size=3), ANY, max_size=3), max_size=3))


def walked(text):
    """The document as a dictionary, or None where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.json")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            document = Document(path)
            annotations = [entry.fields for entry in document.annotations()]
        except InputError:
            return None
    return document.fields | {"annotations": annotations}


class Object(dict):
    """A dictionary that knows whether a key was given twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.doubled = len(self) < len(pairs)


def parsed(text):
    """The same by the standard library; a list of objects must be there, and no key of the top level twice."""
    try:
        value = json.loads(text.encode("utf-8", "surrogatepass"), object_pairs_hook=Object)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, Object) and value.doubled:
        return None
    annotations = value.get("annotations") if isinstance(value, dict) else None
    sound = isinstance(annotations, list) and all(isinstance(entry, dict) for entry in annotations)
    return value if sound else None


@given(OBJECTS, st.sampled_from([None, 0, 2]))
@settings(deadline=None, max_examples=60)
def test_it_says_what_json_says(document, indent):
    text = json.dumps(document, indent=indent)
    assert walked(text) == parsed(text)


@given(OBJECTS, st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_one_is_refused_as_by_json(document, data):
    text = json.dumps(document)
    at = data.draw(st.integers(0, len(text)))
    damage = data.draw(st.sampled_from(["", *'{}[],:" \n0-e.', "null", "NaN", '"annotations": [', "\\", "\ufeff"]))
    text = text[:at] + damage + text[at + data.draw(st.integers(0, 2)) :]
    assert repr(walked(text)) == repr(parsed(text))  # repr: NaN is not equal to itself


@pytest.mark.parametrize("points", [1, 200], ids=["one point an annotation", "many"])
def test_it_is_not_held_in_memory(points, tmp_path):
    """Four times the file is enough; as dictionaries, lists and floats it would be ten times."""
    keypoints = [123.25, 456.75, 2] * points
    images = [{"id": i, "file_name": f"{i}.png", "width": 999, "height": 999} for i in range(10)]
    count = 4000 // points
    annotations = [{"id": i, "image_id": i % 10, "category_id": 1, "keypoints": keypoints} for i in range(count)]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "n"}]}))
    read_coco(path, tmp_path, check_images=False)  # what is kept once and for all
    tracemalloc.start()
    frames = read_coco(path, tmp_path, check_images=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(len(frame.points) for frame in frames) == 4000
    assert peak < 4 * path.stat().st_size


def test_a_key_that_is_there_twice_is_refused(tmp_path):
    """The last would win without a word, and the labels of the first be lost."""
    path = tmp_path / "labels.json"
    path.write_text('{"images": [], "categories": [], "annotations": [{"id": 1}], "annotations": []}')
    with pytest.raises(InputError, match=r'labels\.json: the key "annotations" is there twice'):
        read_coco(path, tmp_path)
    with pytest.raises(InputError, match=r'labels\.json: the key "annotations" is there twice'):
        thin_file(path, tmp_path / "thin.json", per_frame=1)
