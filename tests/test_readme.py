"""What the README says is true of the code: settings, commands, options, files."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from importer.cli import app
from ml_backend.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands


def settings_table():
    """The table that belongs in the README, made from the settings themselves."""
    defaults = Settings()
    for field in fields(Settings):
        value = getattr(defaults, field.name)
        empty = value in (None, "", ()) or (field.name == "project" and value == 0)
        default = "" if empty else f"`{value}`"
        name, meaning = field.metadata["name"], field.metadata["meaning"]
        yield f"| `{name}` | {meaning} | {default} |".replace("|  |", "| |")


def test_the_settings_table_is_the_settings():
    rows = [
        line
        for line in README.splitlines()
        if re.match(r"\| `(EARMARK|LABEL_STUDIO_(URL|API))", line)
    ]
    assert rows == list(settings_table())


def used_commands():
    text = "\n".join(
        re.findall(r"`([^`\n]+)`", README) + re.findall(r"```sh\n(.*?)```", README, re.S)
    )
    return sorted(
        set(
            re.findall(
                r"(?<![./\w])earmark (?!earmark)(\w+)((?: +(?:--?[\w-]+|[^\s|&#`]+))*)", text
            )
        )
    )


@pytest.mark.parametrize(("command", "rest"), used_commands())
def test_every_command_in_the_readme_exists_with_its_options(command, rest):
    assert command in COMMANDS
    known = {option for param in COMMANDS[command].params for option in param.opts}
    known |= {option for param in COMMANDS[command].params for option in param.secondary_opts}
    assert set(re.findall(r"--[\w-]+", rest)) <= known | {"--help"}


def test_every_command_is_in_the_readme():
    assert set(COMMANDS) <= {command for command, _ in used_commands()}


def test_every_make_target_in_the_readme_exists():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = set(
        re.findall(
            r"make ([a-z]+)",
            "\n".join(re.findall(r"`[^`]*make [^`]*`|```sh\n.*?```", README, re.S)),
        )
    )
    assert {"demo", "test"} <= used <= targets


def test_every_file_the_readme_shows_is_there():
    for name in [*re.findall(r"\]\((?!http)([^)#]+)\)", README), ".env.example", "benchmarks"]:
        assert (ROOT / name).exists(), name
