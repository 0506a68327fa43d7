"""Settings are refused where they are read, with the reason, and never show a secret."""

import os
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.demo.login import Credentials
from ml_backend.embedders import EMBEDDER_NAMES
from ml_backend.errors import SettingsError
from ml_backend.settings import EMBEDDERS, Settings
from ml_backend.settings.env_file import parse_env_file, read_env_file, write_env_file

WRONG = [
    ("LABEL_STUDIO_URL", "ftp://here", "must start with http"),
    ("LABEL_STUDIO_URL", "http://", "must be an address"),
    ("LABEL_STUDIO_URL", "http://[here", "must be an address"),
    ("LABEL_STUDIO_URL", "http://here:99999", "must be an address"),
    ("LABEL_STUDIO_URL", "http://he re", "must be an address"),
    ("LABEL_STUDIO_URL", "http://here/projects?id=1", "must end before"),
    ("EARMARK_URL", "here:9090", "must start with http"),
    ("EARMARK_PAGES_URL", "here", "must start with http"),
    ("EARMARK_STUDIO_PAGES_URL", "here", "must start with http"),
    ("EARMARK_DATABASE_URL", "earmark.db", "write it like"),
    ("EARMARK_PROJECT", "-1", "between 0 and"),
    ("EARMARK_PROJECT", "street", "whole number"),
    ("EARMARK_PROJECT", "9" * 4301, "whole number"),
    ("EARMARK_HOST", "http://0.0.0.0", "machine alone"),
    ("EARMARK_HOST", "a" * 64, "machine alone"),
    ("EARMARK_PORT", "0", "between 1 and 65535"),
    ("EARMARK_PORT", "65536", "between 1 and 65535"),
    ("EARMARK_PORT", "9090.5", "whole number"),
    ("EARMARK_AUDIO_HOSTS", "here.test,https://there.test", "hosts alone"),
    ("EARMARK_EMBEDDER", "foo", "choose one of mn04"),
    ("EARMARK_WEIGHTS", "/no/such/file", "no such file or folder"),
    ("EARMARK_STRATEGY", "best", "choose one of default"),
    ("EARMARK_NAMES", "siren", "write it like"),
    ("EARMARK_AUDIT_SHARE", "1.1", "between 0 and 0.5"),
    ("EARMARK_AUDIT_SHARE", "nan", "between 0 and 0.5"),
    ("EARMARK_THRESHOLD", "precision:1.5", "must be f1, balanced, or a precision"),
    ("EARMARK_THRESHOLD", "0.8", "must be f1, balanced, or a precision"),
    ("EARMARK_HEAD_SIZE", "0", "between 1 and"),
    ("EARMARK_DEBOUNCE_S", "-1", "time in s"),
    ("EARMARK_DEBOUNCE_S", "inf", "time in s"),
    ("EARMARK_POLL_S", "nan", "time in s"),
    ("EARMARK_QUIET_S", "soon", "must be a number"),
    ("EARMARK_STRATGY", "random", "did you mean EARMARK_STRATEGY"),
    ("EARMARK_EMBEDER", "mn04", "did you mean EARMARK_EMBEDDER"),
]
FREE = {"EARMARK_SECRET", "LABEL_STUDIO_API_KEY", "EARMARK_DATA", "EARMARK_FILES_ROOT"}


@pytest.mark.parametrize(("name", "value", "rule"), WRONG)
def test_a_wrong_value_is_refused_with_its_name_and_the_rule(name, value, rule):
    with pytest.raises(SettingsError, match=rule) as caught:
        Settings.from_env({name: value})
    assert str(caught.value).startswith(name)
    assert len(str(caught.value)) < 300


def test_every_setting_is_among_the_wrong_ones_but_for_paths_and_secrets():
    known = {entry.metadata["name"] for entry in fields(Settings)}
    assert known - {name for name, *_ in WRONG} == FREE


def test_every_default_is_right_when_it_is_written_down():
    defaults = Settings()
    written = {
        entry.metadata["name"]: str(getattr(defaults, entry.name))
        for entry in fields(Settings)
        if getattr(defaults, entry.name) not in (None, ())
    }
    assert Settings.from_env(written) == defaults


def test_what_is_written_down_is_read_again():
    settings = Settings(
        api_key="t" * 40, secret="a secret", data_dir=Path("/data"), files_root=Path("/files"),
        project=7, audio_hosts=("a.test", "b.test:90"), embedder="melstats", strategy="random",
        names="siren=Siren|Police car (siren);hum=", audit_share=0.1, quiet_s=1.5,
    )  # fmt: skip
    assert Settings.from_env(settings.to_env()) == settings


SECRETS = {
    "LABEL_STUDIO_API_KEY": "token-0123456789",
    "EARMARK_SECRET": "secret-0123456789",
    "EARMARK_DATABASE_URL": "postgresql+psycopg://ada:password-0123456789@db/earmark",
}


def test_no_secret_is_in_what_settings_print():
    shown = repr(Settings.from_env(SECRETS))
    assert "0123456789" not in shown
    assert "LABEL" not in repr(Credentials("ada", "LABELpassword", "LABELtoken"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABEL_STUDIO_API_KEY", "two words"),
        ("LABEL_STUDIO_API_KEY", "tokän"),
        ("EARMARK_SECRET", "secret\nof two lines"),
        ("EARMARK_DATABASE_URL", "ada:words@db"),
        ("LABEL_STUDIO_URL", "http://ada:words@here"),
    ],
)
def test_a_wrong_secret_is_refused_without_being_shown(name, value):
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_env({name: value})
    for part in ("words", "tokän", "lines"):
        assert part not in str(caught.value)


def test_the_embedders_are_those_the_settings_offer():
    assert EMBEDDERS == EMBEDDER_NAMES


# --- the env file ---


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=1", "1"),
        ("export X=1", "1"),
        ("  export   X = 1  ", "1"),
        ("X=", ""),
        ("X='a b # c'", "a b # c"),
        ('X="a b # c"  # why', "a b # c"),
        ("X=a b  # why", "a b"),
        ("X=a#b", "a#b"),
        ("X=pa$$word${HOME}", "pa$$word${HOME}"),
        ('X="say \\"hum\\""', 'say "hum"'),
        ("X=siren=Siren|Police car (siren);hum=", "siren=Siren|Police car (siren);hum="),
        ("\ufeffX=1", "1"),
    ],
)
def test_a_line_means_what_it_means_to_a_shell(tmp_path, line, value):
    (tmp_path / "a.env").write_text(f"{line}\n", encoding="utf-8")
    assert read_env_file(tmp_path / "a.env") == {"X": value}


@pytest.mark.parametrize("line", ["words", "export X", 'X="no end', "=1", "X"])
def test_a_line_that_is_none_is_named_by_its_number_alone(line):
    with pytest.raises(SettingsError, match=r"here\.env, line 3: .*NAME=value") as caught:
        parse_env_file(f"# first\n\n{line}\n", "here.env")
    assert line not in str(caught.value).split("write")[0]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=40))
def test_what_is_written_is_read_again(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "again.env"
    write_env_file(path, {"X": value, "Y": 1})
    assert read_env_file(path) == {"X": value, "Y": "1"}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_env_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, content):
    path = tmp_path / "a.env"
    path.mkdir() if content is None else path.write_bytes(content)
    monkeypatch.setenv("EARMARK_ENV_FILE", str(path))
    with pytest.raises(SettingsError, match=r"a\.env: "):
        Settings.from_env()


def test_an_exported_variable_wins_and_a_wrong_one_in_the_file_is_told_with_the_file(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.env"
    path.write_text("EARMARK_PORT=9191\nexport EARMARK_STRATEGY='best'\n")
    for name in [name for name in os.environ if name.startswith("EARMARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EARMARK_ENV_FILE", str(path))
    with pytest.raises(SettingsError, match=r"EARMARK_STRATEGY \(in .*a\.env\) is 'best'; choose"):
        Settings.from_env()
    monkeypatch.setenv("EARMARK_STRATEGY", "random")
    assert (Settings.from_env().port, Settings.from_env().strategy) == (9191, "random")
