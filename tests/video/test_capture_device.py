"""A capture device, for which a stand-in answers the calls of Video4Linux2 (``fake_device.c``)."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("fake_device.c")
DEVICE = "/dev/full"  # any character device that nobody else opens


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """What a process must find in its environment to have a camera at ``DEVICE``."""
    library = tmp_path_factory.mktemp("camera") / "fake_device.so"
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("the stand-in for a camera needs Linux and gcc")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("the stand-in for a camera cannot be built here")
    return os.environ | {"LD_PRELOAD": str(library), "FAKE_DEVICE": DEVICE, "OMP_NUM_THREADS": "1"}


def test_points_of_a_camera_with_their_times(run, camera, tmp_path):
    words = ["predict", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--data.predict_source", DEVICE]
    words += ["--trainer.default_root_dir", str(tmp_path), "--wandb", "off", "--trainer.accelerator", "cpu"]
    command = [sys.executable, "-m", "carcinosis_loc", *words]
    done = subprocess.run(
        command, env=camera | {"FAKE_FRAMES": "12"}, capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "broke off at frame 12" in done.stdout
    images = json.loads((tmp_path / "predictions" / "images.json").read_text())["images"]
    assert [image["frame"] for image in images] == list(range(12))
    assert {(image["width"], image["height"]) for image in images} == {(320, 240)}
    times = [image["time_s"] for image in images]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == 0
    assert min(steps) > 0.09  # the camera gives 10 a second, on a busy machine fewer
    (video,) = json.loads((tmp_path / "predictions" / "provenance.json").read_text())["videos"]
    assert (video["fps"], video["complete"], video["n_frames_read"]) == (10, False, 12)
