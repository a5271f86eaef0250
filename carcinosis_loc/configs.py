"""Where configs are found: a path as given, else the bare name of a shipped one."""

import logging
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from carcinosis_loc.errors import InputError
from carcinosis_loc.plain import check_plain

logger = logging.getLogger(__name__)

CONFIG_FLAGS = ("--config", "-c")
_MERGED = "tag:yaml.org,2002:merge"  # <<, which may stand several times


def shipped_folder() -> Path:
    """The folder of the shipped configs: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def shipped_names() -> list[str]:
    """Names of the shipped configs."""
    return sorted(path.name for path in shipped_folder().glob("*.yaml"))


def find_config(name: str) -> str:
    """The path of a config; a local file beats a shipped one of that name, and that is said.

    Raises:
        InputError: neither exists; the message lists the shipped names.
    """
    local, shipped = Path(name), shipped_folder() / name
    is_bare_name = local.name == name and shipped.is_file()
    if local.is_file():
        if is_bare_name and not local.samefile(shipped):
            logger.info("config: the local file ./%s is used, not the shipped config of that name", name)
        read_config(local)
        return str(local)
    if is_bare_name:
        return str(shipped)
    raise InputError(f"{name}: no such config file, and none that is shipped ({', '.join(shipped_names())})")


class _NoTwins(yaml.SafeLoader):
    """YAML's safe values; a key that is there twice, of which one would be lost, is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGED]
        twin = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
        if twin is not None:
            problem = f"the key {twin!r} is there twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def read_config(path: str | Path) -> dict[str, Any]:
    """The content of a config file, plain values only.

    Raises:
        InputError: the file cannot be read, is no YAML, or holds no sections.
    """
    try:
        content = _NoTwins(Path(path).read_text(encoding="utf-8")).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{path}: is no YAML: {where}{getattr(error, 'problem', None) or error}") from error
    except Exception as error:  # a date, a number or a tag without sense leads YAML to raise nearly anything
        raise InputError(f"{path}: cannot be read as a config ({error!s:.200})") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{path}: is no config: it must hold sections such as trainer, model and data")
    try:
        check_plain(content)
    except ValueError as error:
        raise InputError(f"{path}: is no config: {error}") from error
    return content


def config_with(keys: list[str], arguments: list[str]) -> str | None:
    """The last config file on a command line that has one of ``keys``, dotted paths or their ends; None if none has."""
    files = [value for value in option_values(arguments, *CONFIG_FLAGS) if not value.startswith("{")]
    for path in reversed(files):
        if any(f".{name}".endswith(f".{key}") for name in _dotted(read_config(path)) for key in keys):
            return path
    return None


def _dotted(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from _dotted(inner, f"{prefix}{key}.")


def option_values(arguments: list[str], *flags: str) -> list[str]:
    """The values that a command line gives to any of ``flags``, as ``--flag value`` or ``--flag=value``, in order."""
    values = []
    for word, following in zip_longest(arguments, arguments[1:]):
        name, equals, value = word.partition("=")
        if word in flags and following is not None:
            values.append(following)
        elif name in flags and equals:
            values.append(value)
    return values


def resolve_configs(arguments: list[str]) -> list[str]:
    """The same command line with every ``--config`` or ``-c`` value resolved by ``find_config``."""
    resolved = list(arguments)
    for i, word in enumerate(arguments):
        if word in CONFIG_FLAGS and i + 1 < len(arguments):
            resolved[i + 1] = find_config(arguments[i + 1])
        elif word.startswith("--config="):
            resolved[i] = "--config=" + find_config(word.removeprefix("--config="))
    _warn_of_lost_callbacks([Path(name) for name in option_values(resolved, *CONFIG_FLAGS) if Path(name).is_file()])
    return resolved


def _warn_of_lost_callbacks(paths: list[Path]) -> None:
    """Of configs that are stacked, the last list of callbacks counts; what another one had, goes."""
    named = [(path, callbacks) for path in paths if (callbacks := _callbacks(path)) is not None]
    for path, callbacks in named[:-1]:
        last, kept = named[-1]
        lost = [name for name in callbacks if name not in kept]
        if lost:
            logger.warning(
                "config: %s does not take part, as the callbacks of %s take the place of those of %s; "
                "name them all in one",
                ", ".join(lost),
                last.name,
                path.name,
            )


def _callbacks(path: Path) -> list[str] | None:
    """Names of the classes that a config gives as callbacks; None if it gives no list."""
    trainer = read_config(path).get("trainer")
    callbacks = trainer.get("callbacks") if isinstance(trainer, dict) else None
    if not isinstance(callbacks, list):
        return None
    paths = (one.get("class_path") if isinstance(one, dict) else one for one in callbacks)
    return [str(name).rpartition(".")[2] for name in paths]
