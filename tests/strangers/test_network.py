"""No command asks the network for anything: sockets are watched, and a proxy listens for what is not Python's."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from tiny_run import fit_words

# Runs in every Python process that the command starts. Sockets of this machine's own files are no network.
WATCH = """
import os, socket, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if arguments[0].family != socket.AF_UNIX and arguments[1] and not str(arguments[1][0]).startswith("127."):
            refuse(event, arguments[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request"):
        if arguments[0] not in ("127.0.0.1", "localhost", socket.gethostname(), None, ""):
            refuse(event, arguments[0])
def refuse(event, what):
    with open(os.environ["NETWORK_LOG"], "a") as log:
        log.write(f"{event} {what}\\n")
    raise OSError(101, "Network is unreachable")
sys.addaudithook(note)
with open(os.environ["NETWORK_LOG"] + ".watched", "a") as log:
    log.write(f"{os.getpid()}\\n")
"""


@pytest.fixture
def watched(tmp_path):
    """Runs code or a command in a process whose network is watched; gives what it said and what it asked for."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "network.log"
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.01)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = [name for kind in ("http_proxy", "https_proxy", "all_proxy") for name in (kind, kind.upper())]
        path = os.pathsep.join([str(tmp_path / "watch"), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "NETWORK_LOG": str(log), "OMP_NUM_THREADS": "1"}
        environment |= dict.fromkeys(names, address) | {"NO_PROXY": "", "no_proxy": ""}

        def run(*words):
            log.unlink(missing_ok=True)
            done = subprocess.run(
                [sys.executable, *words], env=environment, capture_output=True, text=True, cwd=tmp_path
            )
            asked = log.read_text().splitlines() if log.exists() else []
            try:
                connection, _ = proxy.accept()
            except TimeoutError:
                return done, asked
            connection.close()
            return done, [*asked, "the proxy was asked"]

        yield run
    assert (tmp_path / "network.log.watched").exists()


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket; socket.getaddrinfo('example.invalid', 80)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
        "import urllib.request; urllib.request.urlopen('http://example.invalid', timeout=1)",
    ],
)
def test_it_would_be_noticed(code, watched):
    done, asked = watched("-c", code)
    assert done.returncode != 0
    assert asked


def test_no_command_asks_the_network_and_dashboards_are_whole_without_it(watched, spots, tiny, tmp_path):
    """fit, test, predict and calibrate, one after the other; nobody is told anything on standard error."""
    root = tmp_path / "run"
    fit = [word for word in fit_words(spots, tiny, root, "--data.val_json", str(spots / "val.json"))]
    fit[fit.index("--wandb") + 1] = "offline"
    known = [
        "--ckpt_path",
        str(root / "checkpoints" / "best.ckpt"),
        "--data.num_workers",
        "0",
        "--trainer.accelerator",
        "cpu",
    ]
    images = ["--data.image_dir", str(spots / "images")]
    commands = [
        fit,
        ["test", *known, *images, "--data.test_json", str(spots / "test.json")],
        ["predict", *known, "--data.predict_source", str(spots / "images")],
        ["calibrate", *known, *images, "--data.val_json", str(spots / "test.json")],
    ]
    one_after_the_other = (
        "import sys, json, carcinosis_loc.cli as c; sys.exit(sum(map(c.main, json.loads(sys.argv[1]))))"
    )
    done, asked = watched("-c", one_after_the_other, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    assert asked == []
    assert done.stderr == ""
    logs = min((root / "wandb").glob("offline-run-*/*.wandb"))  # of fit: names begin with the time
    names = (b"train/loss", b"val/selection", b"lr-AdamW", b"val/pictures")
    until = time.monotonic() + 20
    while not all(name in logs.read_bytes() for name in names) and time.monotonic() < until:
        time.sleep(0.2)  # a process of its own writes the file
    for name in names:
        assert name in logs.read_bytes(), name
    assert not (tmp_path / "wandb").exists()


HOME = """
import os, sys, time
os.environ["HOME"] = sys.argv[1]
for name in [name for name in os.environ if name == "CI" or "BUILD" in name or "JENKINS" in name]:
    del os.environ[name]  # there it holds its tongue
"""
OPEN = """
import onnx
from pathlib import Path
from carcinosis_loc.export import model
value = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
node = onnx.helper.make_node("Relu", ["x"], ["y"])
graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
file = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 18)])
model._openvino(file.SerializeToString(), Path("x.onnx"), 1)
assert "openvino" in sys.modules
assert "openvino_telemetry" not in sys.modules
"""
LATER = "time.sleep(1)  # it is a thread that sends"


@pytest.mark.parametrize(("code", "tells"), [(OPEN, False), ("import openvino", True)])
def test_openvino_tells_nobody(code, tells, watched, tmp_path):
    """By itself it tells Google Analytics of its import, and leaves an identifier in the home folder."""
    pytest.importorskip("openvino_telemetry")
    home = tmp_path / "home"
    home.mkdir()
    done, asked = watched("-c", "\n".join([HOME, code, LATER]), str(home))
    assert done.returncode == 0, done.stderr
    assert bool(asked) == tells
    assert (home / "intel").exists() == tells


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_everything_works_where_there_is_no_network_at_all(spots, tiny, tmp_path):
    """In a network namespace of its own, not even the machine's own addresses are there."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")
    words = fit_words(spots, tiny, tmp_path / "run", "--data.val_json", str(spots / "val.json"))
    words[words.index("--wandb") + 1] = "offline"
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "carcinosis_loc", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
