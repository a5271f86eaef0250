"""Another process that holds the lock of a folder."""

import subprocess
import sys
from contextlib import contextmanager

_CODE = """import sys; from pathlib import Path; from carcinosis_loc.run_folder import lock_folder
lock = lock_folder(Path(sys.argv[1]), sys.argv[2]); print("held", flush=True); input()"""


@contextmanager
def held(folder, name=".lock"):
    """Its process id, while it holds the lock; it is killed at the end."""
    command = [sys.executable, "-c", _CODE, str(folder), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder.pid
        finally:
            holder.kill()
            holder.wait()
