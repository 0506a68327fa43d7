"""The queue's head over HTTP and from the command line: set, seen, taken back, refused in words."""

import json
import shutil
import threading

import pytest
from typer.testing import CliRunner
from werkzeug.serving import make_server

from importer.cli import app as earmark
from ml_backend.clip import STATES, Task, TaskLabels
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web import create_app
from tests.fake_label_studio import TOKEN, FakeLabelStudio

SECRET = "a secret of the tests"
ROWS = {
    11: {"salience": 1, "recorded_at": "2024-05-01T20:15:00", "clip": "a.wav"},
    12: {"salience": 1, "recorded_at": "2024-05-01T08:15:00", "clip": "b [take 2].wav"},
    13: {"salience": 2, "recorded_at": "2024-05-01T23:15:00", "clip": "c.wav"},
    14: {"salience": 1, "recorded_at": "2024-05-01T21:15:00", "clip": "d.wav"},
}
CONDITION = "salience == 1 and hour(recorded_at) >= 20"
NOTHING = {
    "where": None, "task_ids": None, "requested_by": None, "requested_at": None, "error": None,
    "asked_by": None, "asked_at": None,
    "n": 0, "n_labeled": 0, "n_left": 0, "states": dict.fromkeys(STATES, 0),
}  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, secret=SECRET, embedder="melstats", api_key=TOKEN)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store of four clips, two of them labeled, whose last round is done."""
    folder = tmp_path_factory.mktemp("filled")
    opened = open_store(f"sqlite:///{folder / 'earmark.db'}")
    opened.agenda.hint(1, now=1.0)
    opened.clips.replace_tasks(
        1, [Task(number, f"k{number}", "/a.wav", None, row) for number, row in ROWS.items()]
    )
    opened.labels.replace(
        1,
        [
            TaskLabels(11, frozenset({"siren"}), "labeled", 1),
            TaskLabels(13, frozenset({"siren"}), "labeled", 1),
        ],
    )
    turn = opened.agenda.take(1, now=2.0, lease_s=1.0)
    opened.agenda.finish(turn, now=2.0)
    opened.close()
    return folder / "earmark.db"


@pytest.fixture
def store(settings, filled):
    shutil.copy(filled, settings.data_dir)
    opened = open_store(settings.store_url)
    yield opened
    opened.close()


@pytest.fixture
def app(settings, store):
    return create_app(settings, FakeLabelStudio().client())


@pytest.fixture
def call(app):
    client = app.test_client()

    def call(method, body=None, *, project=1):
        path = f"/projects/{project}/queue"
        answer = client.open(path, method=method, json=body, auth=("earmark", SECRET))
        return answer.status_code, answer.get_json()

    return call


def test_before_anything_is_asked_for_there_is_nothing(call):
    code, told = call("GET")
    assert sum(told.pop("clips").values()) == 4
    assert (code, told) == (200, NOTHING)


def test_a_condition_is_set_seen_and_taken_back(call, store):
    code, told = call("POST", {"where": CONDITION})
    assert code == 200
    assert told.pop("requested_at") == told.pop("asked_at") > 1.7e9
    assert told.pop("asked_by") == told["requested_by"]
    states = told.pop("states")
    assert (states["labeled"], states["pool"], sum(states.values())) == (1, 1, 2)
    assert told == {
        "where": CONDITION, "task_ids": None, "requested_by": "", "error": None,
        "n": 2, "n_labeled": 1, "n_left": 1,
    }  # fmt: skip
    assert call("GET")[1]["where"] == CONDITION
    assert store.queue.wanted(1).where == CONDITION
    assert call("DELETE") == (200, NOTHING)
    assert call("GET")[1]["where"] is None


def test_a_skipped_clip_is_neither_labeled_nor_left(call, store):
    store.labels.replace(1, [TaskLabels(11, None, "skipped", 1)])
    told = call("POST", {"where": CONDITION})[1]
    assert (told["n"], told["n_labeled"], told["n_left"]) == (2, 0, 1)


def test_a_selection_takes_the_place_of_a_condition(call):
    call("POST", {"where": CONDITION})
    told = call("POST", {"task_ids": [13, 12, 13]})[1]
    assert (told["where"], told["task_ids"], told["n"]) == (None, [12, 13], 2)
    assert (told["n_labeled"], told["n_left"]) == (1, 1)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_round_follows_at_once(call, store, method):
    assert not store.agenda.is_waiting(1)
    call(method, {"where": CONDITION} if method == "POST" else None)
    assert store.agenda.take(1, now=4e9, lease_s=1.0).labels_changed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"where": "saliense == 1"}, ["'saliense'", "salience"]),
        ({"where": "salience == 'high'"}, ["salience is a number column (1, 2)"]),
        ({"where": "__import__('os')"}, ["no condition"]),
        ({"where": ""}, ["cannot be read"]),
        ({"where": 3}, ["'where' is a text"]),
        ({}, ["either"]),
        ({"where": CONDITION, "task_ids": [11]}, ["either"]),
        ({"task_ids": []}, ["list of tasks' numbers"]),
        ({"task_ids": ["11"]}, ["list of tasks' numbers"]),
        ({"task_ids": [True]}, ["list of tasks' numbers"]),
        ({"task_ids": [11, 99, 98]}, ["no task 98, 99"]),
        ({"task_ids": list(range(100, 150))}, ["100, 101", "and 40 more"]),
        ({"task_ids": [2**80]}, [f"no task {2**80}"]),
        ([CONDITION], ["JSON object"]),
    ],
)
def test_what_cannot_be_asked_for_is_refused_and_changes_nothing(call, store, body, words):
    call("POST", {"task_ids": [12]})
    code, told = call("POST", body)
    assert code == 400
    for word in words:
        assert word in told["error"]
    assert store.queue.wanted(1).task_ids == (12,)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_project_is_told_so(call, method):
    code, told = call(method, {"where": CONDITION}, project=7)
    assert code == 404
    assert "project 7" in told["error"]


def test_a_project_without_clips_says_how_they_come(call, store):
    store.agenda.hint(2, now=1.0)
    code, told = call("POST", {"where": CONDITION}, project=2)
    assert code == 400
    assert "earmark import" in told["error"]


def test_tasks_that_are_gone_are_not_counted(call, store):
    call("POST", {"task_ids": [12, 14]})
    store.clips.replace_tasks(1, [Task(14, "k14", "/a.wav", None, ROWS[14])])
    assert call("GET")[1]["n"] == 1


def test_a_condition_that_no_longer_fits_says_why(call, store):
    call("POST", {"where": CONDITION})
    store.clips.replace_tasks(1, [Task(11, "k11", "/a.wav", None, {"salience": "high"})])
    told = call("GET")[1]
    assert "salience is a text column ('high')" in told["error"]
    assert told["n"] == 0


# The command


@pytest.fixture
def say(app, tmp_path, monkeypatch):
    """Run `earmark queue` against a backend that really answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def say(*arguments, project=1):
        environment = {
            "EARMARK_PORT": str(server.server_port),
            "EARMARK_SECRET": SECRET,
            "EARMARK_PROJECT": str(project),
        }
        return CliRunner().invoke(earmark, ["queue", *arguments], env=environment)

    yield say
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_command_asks_tells_and_takes_back(say):
    assert "No clips are requested first" in say().stdout
    assert "2 clips match: 1 labeled, 1 in the pool: 2 in all" in say("--where", CONDITION).stdout
    assert CONDITION in say().stdout
    assert json.loads(say("--json").stdout)["n"] == 2
    assert "No clips are requested first" in say("--clear").stdout
    told = json.loads(say("--json").stdout)
    assert (told["where"], told["n"], sum(told["clips"].values())) == (None, 0, 4)


def test_brackets_in_a_condition_are_no_markup(say):
    assert '"[take 2]" in clip' in say("--where", '"[take 2]" in clip').stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--where", "saliense == 1"], ["'saliense'", "salience"]),
        (["--where", CONDITION, "--clear"], ["contradict"]),
        (["--project", "7"], ["project 7"]),
    ],
)
def test_what_the_command_cannot_do_is_one_sentence(say, arguments, words):
    result = say(*arguments)
    assert result.exit_code == 1
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_project_it_asks_for_one(say):
    result = say(project=0)
    assert result.exit_code == 1
    assert "--project" in result.stderr
