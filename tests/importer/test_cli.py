"""The command line says what is wrong in one sentence, with every name as it is written."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner
from werkzeug.serving import make_server

from importer import cli, run_import
from importer.cli import app
from importer.commands.options import project_number
from importer.commands.output import tell_import
from importer.scan import Refusal
from ml_backend.clip import TaskLabels
from ml_backend.embedders.audioset import CLASS_LIST, N_CLASSES
from ml_backend.label_studio.label_config import label_config_xml
from tests.fake_label_studio import TOKEN, FakeLabelStudio
from tests.sounds import noise, write
from tests.visiting import SECRET, Place


@pytest.fixture
def earmark(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def earmark(*arguments, **settings):
        settings.setdefault("EARMARK_PORT", "1")  # nothing listens there
        settings.setdefault("LABEL_STUDIO_API_KEY", TOKEN)
        return CliRunner().invoke(app, [str(one) for one in arguments], env=settings)

    return earmark


@pytest.fixture
def audioset(tmp_path):
    """A folder of weights with AudioSet's list of names."""
    folder = tmp_path / "weights"
    folder.mkdir()
    rows = "".join(f'{n},/m/{n},"Name {n}"\n' for n in range(N_CLASSES))
    (folder / CLASS_LIST).write_text(f"index,mid,display_name\n{rows}")
    return folder


@pytest.fixture
def studio(monkeypatch):
    made = FakeLabelStudio()
    monkeypatch.setattr(run_import, "LabelStudio", lambda url, api_key: made.client())
    return made


def assert_explained(result, *words):
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EARMARK_PORT", "ninety"),
        ("EARMARK_PORT", "70000"),
        ("EARMARK_QUIET_S", "0"),
        ("EARMARK_POLL_S", "nan"),
        ("EARMARK_STRATEGY", "best"),
        ("LABEL_STUDIO_URL", "localhost:8080"),
        ("EARMARK_ENV_FILE", "missing.env"),
        ("EARMARK_EMBEDDER", "foo"),
        ("EARMARK_NAMES", "siren"),
        ("EARMARK_DEBOUNCE_S", "-1"),
        ("EARMARK_AUDIT_SHARE", "1.5"),
    ],
)
@pytest.mark.parametrize("command", ["status", "serve"])
def test_a_setting_that_makes_no_sense_is_named(earmark, command, name, value):
    assert_explained(earmark(command, **{name: value}), name, value.partition(":")[0])


def test_a_backend_that_is_down_is_told_to_people_and_to_scripts(earmark):
    result = earmark("status", "--json")
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert facts["state"] == "down"
    assert "earmark serve" in facts["error"]
    assert "earmark serve" in earmark("status").stderr


def test_a_folder_where_nothing_is_set_up_says_so_and_stays_as_it_is(earmark, tmp_path):
    commands = [
        ("status",), ("map",), ("queue", "--project", 1), ("setup", "--labels", "a,b"),
        ("import", tmp_path, "--project", 1),
    ]  # fmt: skip
    for command in commands:
        result = earmark(*command, LABEL_STUDIO_API_KEY="")
        assert_explained(result, "Nothing is set up here", "earmark demo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("status",), ["No backend answers"]),
        (("map", "--project", 7), ["No backend answers"]),
        (("queue", "--project", 7), ["No backend answers"]),
        (("setup", "--labels", "a,b"), ["no secret", "earmark serve"]),
        (("setup", "--config", "gone.xml"), ["gone.xml: cannot be read"]),
        (("import", "/nonexistent", "--project", 7), ["/nonexistent: there is no such folder"]),
        (("import", "http://studio.test/projects/7/data", "--project", 7), ["no such folder"]),
        (("simulate", "/nonexistent.csv", "--test", "a=b"), ["/nonexistent.csv"]),
        (("demo", "--clips", "/nonexistent"), ["/nonexistent: there is no such folder"]),
        (("demo", "--labels", "siren"), ["wanted at least 2"]),
    ],
)
def test_a_command_that_fails_leaves_nothing_behind(earmark, tmp_path, command, words):
    result = earmark(*command, LABEL_STUDIO_URL="http://127.0.0.1:1")
    assert result.exit_code == 1
    for word in words:
        assert word in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("serve",), ("setup", "--labels", "a,b")])
def test_a_document_root_that_is_none_is_named(earmark, tmp_path, command):
    said = {"EARMARK_FILES_ROOT": str(tmp_path / "fiels"), "EARMARK_SECRET": SECRET}
    assert_explained(earmark(*command, **said), "EARMARK_FILES_ROOT", "fiels", "no such folder")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_audioset_does_not_have_ends_the_server_at_once(earmark, tmp_path, audioset):
    result = earmark("serve", EARMARK_WEIGHTS=str(audioset), EARMARK_NAMES="siren=Sirene")
    assert_explained(result, "EARMARK_NAMES", "'Sirene', which is no AudioSet class")


def test_a_folder_that_cannot_be_written_is_named(earmark):
    result = earmark("serve", EARMARK_DATA="/proc/none")
    assert_explained(result, "/proc/none")


@pytest.mark.parametrize(
    "link",
    [
        "7",
        "http://studio.test:8080/projects/7",
        "https://studio.test/studio/projects/7/data?tab=3&task=9",
        "/projects/7/data",
        "projects/7/settings/ml",
    ],
)
def test_a_project_may_be_named_by_its_link(earmark, link):
    assert_explained(earmark("queue", "--project", link), "No backend answers")
    assert project_number(link) == 7


@pytest.mark.parametrize("said", ["street", "-1", "7.5", "http://studio.test/tasks/7", "9" * 4301])
def test_what_names_no_project_is_refused(earmark, said):
    result = earmark("map", "--project", said)
    assert result.exit_code == 2
    assert "names no project" in result.stderr
    assert len(result.stderr) < 2000


def test_something_else_at_the_backends_port_is_told_from_the_backend(earmark):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Prometheus</html>")

        def log_message(self, *said):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            result = earmark("status", EARMARK_PORT=str(server.server_port))
        finally:
            server.shutdown()
    assert result.exit_code == 1
    assert "Something else than Earmark answers" in result.stderr


def test_a_store_that_cannot_be_opened_is_named_before_anything_starts(earmark):
    result = earmark(
        "serve", EARMARK_DATABASE_URL="sqlite:////proc/none/earmark.db", EARMARK_PORT="19391"
    )
    assert_explained(result, "the store cannot be opened", "EARMARK_DATABASE_URL")


@pytest.mark.parametrize("command", ["serve", "setup"])
def test_a_missing_token_is_asked_for(earmark, command):
    assert_explained(earmark(command, LABEL_STUDIO_API_KEY=""), "LABEL_STUDIO_API_KEY")


def test_an_import_into_an_unknown_project_changes_nothing(earmark, studio, tmp_path):
    write(tmp_path / "in/a.wav", noise(0.1))
    result = earmark("import", tmp_path / "in", "--project", 99, EARMARK_FILES_ROOT=str(tmp_path))
    assert_explained(result, "/api/projects/99", "does not know")
    assert not (tmp_path / "earmark").exists()


def test_an_import_without_a_project_asks_for_one(earmark, tmp_path):
    assert_explained(earmark("import", tmp_path), "--project")


def test_an_import_adds_clips_and_tells_what_it_did(earmark, studio, tmp_path):
    project_id = studio.add_project(label_config_xml(("siren", "other"), multi_label=False))
    write(tmp_path / "in/a [take 2].wav", noise(0.1))
    (tmp_path / "in/b [red].wav").write_bytes(b"")
    arguments = ("import", tmp_path / "in", "--project", project_id)
    result = earmark(*arguments, EARMARK_FILES_ROOT=str(tmp_path))
    assert [task["data"]["clip"] for task in studio.tasks.values()] == ["a [take 2].wav"]
    assert result.exit_code == 0
    assert "1 clips added" in result.stdout
    assert "b [red].wav: is empty" in result.stderr
    again = json.loads(earmark(*arguments, "--json", EARMARK_FILES_ROOT=str(tmp_path)).stdout)
    assert (again["added"], again["skipped"], len(again["refused"])) == (0, 1, 1)


@contextmanager
def serving(place):
    """Answer at a port, as the backend does; give the port."""
    server = make_server("127.0.0.1", 0, place.app, threaded=True)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield str(server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def test_the_map_is_printed_as_a_link_that_signs_in(earmark, tmp_path):
    place = Place(tmp_path)
    project_id, _ = place.add_project(label_config_xml(("siren", "other"), multi_label=False))
    with serving(place) as port:
        said = {"EARMARK_PORT": port, "EARMARK_SECRET": SECRET}
        for arguments in ((), ("--project", project_id)):
            result = earmark("map", *arguments, EARMARK_PAGES_URL="https://earmark.test", **said)
            assert result.exit_code == 0, result.stderr
            assert result.stdout.startswith("https://earmark.test/arrive?ticket=")
            assert TOKEN not in result.stdout
            client = place.browser()
            answer = client.get(result.stdout.strip().removeprefix("https://earmark.test"))
            assert answer.location == f"/projects/{project_id}/map"
            assert client.get(answer.location).status_code == 200
        nowhere = earmark("map", "--project", 77, **said)
        assert_explained(nowhere, "no project 77", f"but after {project_id}")
        assert "ticket" not in nowhere.stdout
        place.add_project(label_config_xml(("siren", "other"), multi_label=False))
        assert_explained(earmark("map", **said), "2 projects", "--project")
        unknown = earmark("map", "--project", 1, LABEL_STUDIO_API_KEY="0" * 40, **said)
        assert_explained(unknown, "LABEL_STUDIO_API_KEY", "does not know this token")
        assert "0" * 40 not in unknown.stderr
        wrong = earmark(
            "map", "--project", 1, EARMARK_PORT=port, EARMARK_SECRET="a secret of another one"
        )
        assert_explained(wrong, "EARMARK_SECRET")
    assert_explained(earmark("map", "--project", 1), "earmark serve")


def test_status_asks_label_studio(earmark, tmp_path, monkeypatch):
    place = Place(tmp_path)
    config = label_config_xml(("siren", "hum"), multi_label=False)
    project_id, (task_id,) = place.add_project(config, [{"audio": "/a.wav"}])
    place.store.labels.replace(project_id, [TaskLabels(task_id, None, "tied", 2)])
    place.store.facts.write(f"names of project {project_id}", {"siren": ["Siren"], "hum": []})
    monkeypatch.setattr(cli, "LabelStudio", lambda url, token, **how: place.studio.client(token))
    with serving(place) as port:
        said = {"EARMARK_PORT": port, "EARMARK_SECRET": SECRET}
        result = earmark("status", **said)
        assert result.exit_code == 0, result.stderr
        assert "(up, as first@studio.test)" in result.stdout
        assert "names AudioSet knows: siren (Siren); no name for hum" in result.stdout
        assert f":{port}/projects/{project_id}/label?ties" in result.stdout
        facts = json.loads(earmark("status", "--json", **said).stdout)
        assert facts["label_studio"]["state"] == "up"
        for wrong, words in [
            ({"LABEL_STUDIO_API_KEY": "0" * 40}, "is a legacy token"),
            ({"EARMARK_PROJECT": "77"}, "does not know GET /api/projects/77"),
        ]:
            result = earmark("status", **said, **wrong)
            assert (result.exit_code, words in result.stderr) == (1, True), result.stderr
            assert "0" * 40 not in result.stderr
        monkeypatch.undo()
        result = earmark("status", LABEL_STUDIO_URL="http://127.0.0.1:1", **said)
        assert (result.exit_code, "does not answer" in result.stderr) == (1, True)


def test_a_name_with_brackets_is_printed_as_it_is(capsys):
    summary = {
        "n_clips": 1, "added": 1, "skipped": 0, "duplicates": [], "renamed": {"[b]": "meta_[b]"},
        "refused": [vars(Refusal("b [/bold].wav", "is [empty]."))], "seconds": 1.0, "report": None,
        "deleted": 0,
    }  # fmt: skip
    tell_import(summary)
    said = capsys.readouterr()
    assert "b [/bold].wav: is [empty]." in said.err
    assert "'[b]'" in said.out
