"""Parts of the pages that are made from the code, so that they cannot differ from it.

Before a page is read, a line such as ``{{ settings }}`` or ``{{ package ml_backend.audio }}`` is
replaced by the Markdown that the function of that name yields.
"""

import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from inspect import getdoc
from typing import Any

import typer
from sphinx.application import Sphinx

from importer.cli import app as earmark
from ml_backend.settings import STRATEGIES, Settings
from ml_backend.strategies.registry import get_strategy

_PLACE = re.compile(r"^\{\{ (\w+)(?: (\S+))? \}\}$", re.MULTILINE)
_ARRAY = re.compile(r"~numpy\.ndarray\[tuple\[[^\[\]]*\], ~numpy\.dtype\[~numpy\.(\w+)\]\]")


def commands() -> Iterator[str]:
    """Describe every command: its help, its arguments and its options."""
    group: Any = typer.main.get_command(earmark)
    for name, command in group.commands.items():
        yield f"### earmark {name}\n\n```{{program}} earmark {name}\n```\n"
        yield re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", command.help) + "\n"
        context = command.context_class(command, info_name=name)
        for param in command.params:
            names, text = param.get_help_record(context)
            text, _, note = text.partition("  [")
            default = re.fullmatch(r"default: (.*)\]", note)
            if default and default[1].lower() not in ("0", "no-" + param.name.replace("_", "-")):
                text += f" Default: `{default[1]}`."
            yield f"```{{option}} {names.replace(' / ', ', ')}\n{text}\n```\n"


def settings(described: type = Settings) -> Iterator[str]:
    """Describe every setting: its variable, its meaning and its default.

    Raises
    ------
    ValueError
        If a setting has no meaning.
    """
    for entry in fields(described):
        name, meaning = entry.metadata["name"], entry.metadata["meaning"].replace(r"\|", "|")
        if not meaning:
            raise ValueError(f"{name} has no meaning; say in ml_backend/settings what it is for.")
        default = "" if entry.default in (None, "", (), 0) else f" Default: `{entry.default}`."
        yield f"```{{envvar}} {name}\n{meaning}.{default}\n```\n"


def strategies() -> Iterator[str]:
    """List the strategies, each with the first line of its docstring."""
    yield "| strategy | rule |\n|---|---|"
    for name in STRATEGIES:
        strategy = type(get_strategy(name))
        rule = (getdoc(strategy) or "").partition("\n\n")[0].replace("\n", " ")
        yield f"| {{py:class}}`{name} <{strategy.__module__}.{strategy.__name__}>` | {rule} |"


def package(name: str) -> Iterator[str]:
    """Describe a package and each of its modules, or a single module."""
    found = getattr(import_module(name), "__path__", None)
    yield _described(name, "" if found else ":members:")
    for module in pkgutil.iter_modules(found or ()):
        yield f"## {name.partition('.')[2]}.{module.name}\n"
        yield _described(f"{name}.{module.name}", ":members:")


def _described(module: str, option: str) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {module}\n   :ignore-module-all:\n   {option}\n```\n"


def fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the marked lines of a page."""
    parts = {part.__name__: part for part in (commands, settings, strategies, package)}
    source[0] = _PLACE.sub(
        lambda line: "\n".join(parts[line[1]](*filter(None, [line[2]]))), source[0]
    )


def shorten_types(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, arguments: str | None, result: str
) -> tuple[str, str] | None:
    """Write the types of arrays in a signature as the code does."""
    if arguments is None:
        return None
    if arguments == "(*args, **kwargs)":  # of a protocol
        return "", ""
    return _ARRAY.sub(r"NDArray[\1]", arguments), _ARRAY.sub(r"NDArray[\1]", result or "")


def unlink_headings(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Make headings in a module's docstring rubrics: the page has its own sections."""
    if what == "module":
        lines[:] = re.sub(r"^(\w+)\n-+$", r".. rubric:: \1\n", "\n".join(lines), flags=re.M).split(
            "\n"
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("autodoc-process-docstring", unlink_headings, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
