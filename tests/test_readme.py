"""What the README and the pages of ``docs/`` say is true of the code: commands, options, files."""

import re
import sys
from dataclasses import field, fields, make_dataclass
from pathlib import Path

import pytest
import typer

from importer.cli import app
from ml_backend.settings import STRATEGIES, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
README = TEXT["README.md"]
COMMANDS = typer.main.get_command(app).commands
VARIABLE = re.compile(r"\bEARMARK_[A-Z_]*[A-Z]\b")


@pytest.fixture
def generated(monkeypatch):
    """The module that makes parts of the pages."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    import generated

    return generated


def shown(text):
    """What is set as code: within lines, and as shell commands."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), re.sub(r" +# .*", "", blocks)])


def used_commands():
    call = r"(?<![./\w])(?:\.venv/bin/)?earmark (?!earmark)(\w+)((?: +(?:--?[\w-]+|[^\s|&#`]+))*)"
    return sorted({found for text in TEXT.values() for found in re.findall(call, shown(text))})


def options_of(command):
    names = {name for param in command.params for name in param.opts + param.secondary_opts}
    return {name for name in names if name.startswith("--")}


@pytest.mark.parametrize(("command", "rest"), used_commands())
def test_every_command_that_is_shown_exists_with_its_options(command, rest):
    assert command in COMMANDS
    assert set(re.findall(r"--[\w-]+", rest)) <= options_of(COMMANDS[command]) | {"--help"}


def test_every_command_and_option_is_in_the_reference(generated):
    reference = "".join(generated.commands())
    for name, command in COMMANDS.items():
        described = reference.split(f"### earmark {name}\n")[1].split("### ")[0]
        options = " ".join(re.findall(r"\{option\} (.*)", described))
        assert set(re.findall(r"--[\w-]+", options)) == options_of(command)


def test_every_make_target_that_is_shown_exists():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(map(shown, TEXT.values()))))
    assert {"demo", "docs", "test"} <= used <= targets


def test_every_file_and_heading_that_the_readme_links_to_is_there():
    for name, heading in re.findall(r"\]\((?!http)([^)#]+)#?([^)]*)\)", README):
        assert (ROOT / name).exists(), name
        if heading:
            headings = re.findall(r"^#+ (.*)", TEXT[name], re.M)
            assert heading in {title.lower().replace(" ", "-") for title in headings}


def test_every_file_that_is_named_is_there():
    ours = [path for path in ROOT.glob("[!.]*") if path.name != "build"]
    paths = [".env.example", *(str(path) for one in ours for path in (one, *one.rglob("*")))]
    for page, text in TEXT.items():
        for name in re.findall(r"`([\w./-]+(?:\.(?:py|js|md|yml|example)|/))`", text):
            is_there = any(f"/{path}".endswith(f"/{name.rstrip('/')}") for path in paths)
            assert is_there, f"{page} names {name}"


def test_the_readme_can_be_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 150


def test_every_setting_is_described_with_its_default(generated):
    described = "\n".join(generated.settings())
    for entry in fields(Settings):
        name, meaning = entry.metadata["name"], entry.metadata["meaning"].replace("\\|", "|")
        assert f"{{envvar}} {name}\n{meaning}." in described
    assert "`9090`" in described
    assert "`mn04`" in described


def test_a_setting_without_a_meaning_is_refused(generated):
    silent = field(default=0, metadata={"name": "EARMARK_SILENT", "meaning": ""})
    with pytest.raises(ValueError, match="EARMARK_SILENT has no meaning"):
        list(generated.settings(make_dataclass("Silent", [("silent", int, silent)])))


def test_every_variable_that_the_code_reads_is_described():
    read = {
        name
        for package in ("ml_backend", "importer")
        for path in (ROOT / package).rglob("*.py")
        for name in VARIABLE.findall(path.read_text(encoding="utf-8"))
    }
    settings = {entry.metadata["name"] for entry in fields(Settings)}
    assert read - settings <= set(VARIABLE.findall(TEXT["docs/settings.md"]))


def test_every_variable_that_is_shown_exists():
    known = {entry.metadata["name"] for entry in fields(Settings)} | {"EARMARK_ENV_FILE"}
    for page, text in TEXT.items():
        assert set(VARIABLE.findall(text)) <= known, page


def test_every_strategy_is_described(generated):
    listed = "\n".join(generated.strategies())
    assert re.findall(r"py:class\}`(\S+)", listed) == list(STRATEGIES)


def test_types_of_arrays_are_written_as_in_the_code(generated):
    long = "(x: ~numpy.ndarray[tuple[int, ...], ~numpy.dtype[~numpy.float64]])"
    assert generated.shorten_types(None, "", "", None, None, long, None) == (
        "(x: NDArray[float64])",
        "",
    )
