"""`make audit`: are there known vulnerabilities in the pinned versions? Says plainly where that cannot be told.

pip-audit asks a server, PyPI's or OSV's. It calls a package that the server does not know "skipped" and still ends
well, so its answer is counted here: nothing but an audit of every pin is a good end.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PINS = Path(__file__).with_name("constraints.txt")


def main() -> int:
    """Ask one server after the other; 0: no vulnerability is known, 1: there are some, 3: it could not be told."""
    pins = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    for service in ("pypi", "osv"):
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer.json"
            words = ["-m", "pip_audit", "--no-deps", "--disable-pip", "-r", str(PINS), "-s", service, "--timeout", "20"]
            done = subprocess.run(
                [sys.executable, *words, "-f", "json", "-o", str(answer)], capture_output=True, text=True
            )
            packages = json.loads(answer.read_text())["dependencies"] if answer.exists() else []
        audited = [package for package in packages if "vulns" in package]
        if not audited:
            skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
            reason = (skipped or done.stderr.strip().splitlines() or ["no answer"])[-1]
            print(f"audit: {service}: none of {len(pins)} pins could be audited ({reason:.120})")
            continue
        known = [f"{one['name']} {one['version']}: {vuln['id']}" for one in audited for vuln in one["vulns"]]
        print(
            "\n".join(
                [*known, f"audit: {service}: {len(audited)} of {len(pins)} pins audited, {len(known)} vulnerabilities"]
            )
        )
        if known:
            return 1
        if len(audited) == len(pins):
            return 0
    print(
        "audit: not done: no server that knows vulnerabilities can be reached from here; run make audit where one can"
    )
    return 3


if __name__ == "__main__":
    sys.exit(main())
