"""Templates to one HTML file that asks nobody for anything: style, script and pictures lie inside it."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from carcinosis_loc.report.times import clock
from carcinosis_loc.version import version

_TEMPLATES = files("carcinosis_loc.report") / "templates"


def render(template: str, **content: Any) -> str:
    """The page of a template, such as ``procedure.html``.

    Whatever comes from files is escaped (autoescape is on; JSON inside the page has no ``<``). The page's policy allows
    one style sheet and one script, both by their hash, and pictures that lie in the page: a script that a file name
    smuggled in would not run, and nothing can be fetched or sent.
    """
    environment = Environment(
        loader=PackageLoader("carcinosis_loc.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "number": number}
    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return environment.get_template(template).render(
        content,
        style=Markup(style),  # our own files, which the policy names by their hash
        script=Markup(script),
        policy=_policy(style, script),
        made_by=f"carcloc {version()}",
    )


def number(value: float | None, digits: int = 1) -> str:
    """A figure for people: a dash for none, no decimals that are zero."""
    return "\N{EN DASH}" if value is None else f"{value:,.{digits}f}".removesuffix("." + "0" * digits)


def without_threshold(rule: str | None) -> str | None:
    """How a threshold was chosen, without the number that ``Calibration`` begins with: the page says it before."""
    return None if rule is None else re.sub(r"^[\d.]+, ", "", rule)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
