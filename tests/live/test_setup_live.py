"""What Earmark builds on, seen on a real Label Studio: set-up, the queue, events, files."""

import http.server
import json
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx
import pytest

from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port
from importer.setup.data_manager_tab import ensure_tab
from importer.setup.instructions import EARLIER as EARLIER_INSTRUCTIONS
from importer.setup.project import set_up
from ml_backend.errors import (
    AudioError,
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
)
from ml_backend.label_studio import LabelStudio, client
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.label_studio.label_config import label_config_xml
from tests.label_studio.test_label_config import EARLIER as EARLIER_PAGE
from tests.live.conftest import COMMAND
from tests.postgres import create_database, postgres_server

pytestmark = pytest.mark.live

SECRET = "what-the-backend-must-be-shown"
SIREN = [
    {"from_name": "sound", "to_name": "audio", "type": "choices", "value": {"choices": ["siren"]}}
]


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict
    body: dict


@pytest.fixture
def backend():
    """A backend that notes every call and is content with it."""
    calls = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            calls.append(Call(self.path, dict(self.headers), body))
            self.answer({"model_version": "none yet"})

        def do_GET(self):
            calls.append(Call(self.path, dict(self.headers), {}))
            self.answer({"status": "UP", "versions": []})

        def answer(self, body):
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.calls = calls
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def wanted(studio, backend, title):
    return {
        "backend_url": backend.url,
        "secret": SECRET,
        "title": title,
        "labels": ("siren", "other"),
        "files_dir": studio.files_root / "earmark",
    }


@pytest.fixture
def project_id(label_studio, wanted):
    return set_up(label_studio, **wanted).project_id


@pytest.fixture
def task_ids(label_studio, project_id):
    return add_tasks(label_studio, project_id, 6)


def add_tasks(label_studio, project_id, n_tasks):
    tasks = [
        {
            "data": {
                "audio": f"/data/local-files/?d=earmark/clips/{number}.wav",
                "spectrogram": f"/data/local-files/?d=earmark/clips/{number}.png",
                "clip": f"{number}.wav",
                "meta": {"salience": number},
                "salience": number,
            }
        }
        for number in range(n_tasks)
    ]
    assert label_studio.import_tasks(project_id, tasks) == n_tasks
    return [task["id"] for task in label_studio.tasks(project_id)]


def publish(label_studio, project_id, model_version, order):
    """Publish an order: the first of it with the lowest score."""
    predictions = [
        {"task": task_id, "model_version": model_version, "score": place / 100, "result": SIREN}
        for place, task_id in enumerate(order)
    ]
    assert label_studio.import_predictions(project_id, predictions) == len(order)
    label_studio.set_model_version(project_id, model_version)


def events(backend, action, deadline_s=5.0):
    end = time.monotonic() + deadline_s
    while True:
        found = [call for call in backend.calls if call.body.get("action") == action]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def assert_numbers_are_sorted_as_numbers(studio, project_id):
    label_studio = studio.client()
    add_tasks(label_studio, project_id, 12)
    assert ensure_tab(label_studio, project_id, {"salience": "Number"})
    assert not ensure_tab(label_studio, project_id, {"salience": "Number"})
    (view,) = label_studio.views(project_id)
    data = {**view["data"], "ordering": ["-tasks:data.salience"]}
    label_studio.update_view(view["id"], project_id, data)
    token = {"Authorization": f"Token {studio.credentials.token}"}
    listed = httpx.get(
        f"{studio.url}/api/tasks", params={"view": view["id"]}, headers=token, timeout=30
    ).json()["tasks"]
    assert [task["data"]["salience"] for task in listed] == list(range(11, -1, -1))


# --- set-up ---


def test_set_up_twice_changes_nothing(label_studio, wanted):
    assert set_up(label_studio, **wanted).changes
    report = set_up(label_studio, **wanted)
    assert (report.changes, report.warnings) == ((), ())


def test_the_backend_is_connected_with_its_credentials_and_is_not_the_model(
    label_studio, wanted, project_id, backend
):
    (connected,) = label_studio.backends(project_id)
    assert (connected["state"], connected["url"]) == ("CO", backend.url)
    asked = [call for call in backend.calls if call.path in ("/health", "/setup")]
    basic = httpx.BasicAuth("earmark", SECRET)._auth_header
    assert {call.headers["Authorization"] for call in asked} == {basic}
    assert label_studio.project(project_id)["model_version"] == ""


def test_what_broke_is_mended(label_studio, wanted, project_id):
    (webhook,) = label_studio.webhooks(project_id)
    label_studio.update_webhook(webhook["id"], headers={}, send_payload=True)
    label_studio.update_project(project_id, sampling="Sequential sampling")
    report = set_up(label_studio, **{**wanted, "secret": "another"})
    assert len(report.changes) == 3
    assert len(label_studio.webhooks(project_id)) == len(label_studio.backends(project_id)) == 1
    assert set_up(label_studio, **{**wanted, "secret": "another"}).changes == ()


def test_a_label_config_that_would_orphan_annotations_is_refused_in_label_studios_words(
    label_studio, wanted, task_ids
):
    label_studio.annotate(task_ids[0], SIREN)
    other = label_config_xml(["a", "b"], multi_label=False).replace('name="sound"', 'name="x"')
    with pytest.raises(LabelStudioError, match="incompatible with provided labeling schema"):
        set_up(
            label_studio,
            **{**wanted, "labels": ()},
            label_config=other,
            replace_label_config=True,
        )


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_an_earlier_version_wrote_is_renewed_under_its_annotations(
    label_studio, wanted, multi_label
):
    wanted["multi_label"] = multi_label
    project_id = set_up(label_studio, **wanted).project_id
    now = label_studio.project(project_id)
    page = EARLIER_PAGE.replace("single-radio", "multiple" if multi_label else "single-radio")
    links = now["expert_instruction"].rpartition("\n")[2]
    label_studio.update_project(
        project_id,
        label_config=page,
        enable_empty_annotation=True,
        expert_instruction=f"{EARLIER_INSTRUCTIONS[0]}\n{links}",
    )
    (task_id, other_id, *_) = add_tasks(label_studio, project_id, 3)
    figures = {"from_name": "judgment", "to_name": "audio", "type": "textarea"}
    figures["value"] = {"text": ["siren 0.81"]}
    label_studio.annotate(task_id, [*SIREN, figures])
    label_studio.annotate(other_id, [])
    report = set_up(label_studio, **{**wanted, "labels": ()})
    assert report.changes == (
        "renewed the labeling page",
        "set enable_empty_annotation",
        "renewed the instructions",
    )
    assert report.warnings == ()
    same = ("label_config", "enable_empty_annotation", "expert_instruction")
    renewed = label_studio.project(project_id)
    assert [str(renewed[name]).strip() for name in same] == [
        str(now[name]).strip() for name in same
    ]
    assert set_up(label_studio, **wanted).changes == ()
    assert label_studio.annotations(task_id)[0]["result"][0]["value"] == {"choices": ["siren"]}


def test_a_folder_that_is_not_below_the_document_root_is_refused(label_studio, wanted, tmp_path):
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"):
        set_up(label_studio, **{**wanted, "files_dir": tmp_path})


def test_the_tab_sorts_a_number_as_a_number(studio, project_id):
    assert_numbers_are_sorted_as_numbers(studio, project_id)


# --- the queue ---


def test_the_queue_follows_the_lowest_score_of_the_current_version(
    label_studio, project_id, task_ids
):
    order = [task_ids[place] for place in (3, 0, 5, 1)]
    publish(label_studio, project_id, "r1", order)
    served = []
    for _ in range(2):
        task = label_studio.next_task(project_id)
        served.append(task["id"])
        label_studio.annotate(task["id"], SIREN)
    assert served == order[:2]
    publish(label_studio, project_id, "r2", [order[3], order[2]])
    for _ in range(2):
        task = label_studio.next_task(project_id)
        served.append(task["id"])
        label_studio.annotate(task["id"], SIREN)
    assert served == [order[0], order[1], order[3], order[2]]


def test_tasks_without_a_prediction_come_last_and_then_no_more(label_studio, project_id, task_ids):
    publish(label_studio, project_id, "r1", task_ids[4:])
    served = []
    while task := label_studio.next_task(project_id):
        served.append(task["id"])
        label_studio.annotate(task["id"], SIREN)
    assert served[:2] == task_ids[4:]
    assert sorted(served) == task_ids


def test_a_version_without_predictions_cannot_become_current(label_studio, project_id, task_ids):
    publish(label_studio, project_id, "r1", task_ids)
    with pytest.raises(LabelStudioError, match="exist"):
        label_studio.set_model_version(project_id, "r2")
    assert label_studio.project(project_id)["model_version"] == "r1"


def test_one_unknown_task_refuses_all_predictions(label_studio, project_id, task_ids):
    with pytest.raises(LabelStudioError, match="999999"):
        publish(label_studio, project_id, "r1", [*task_ids, 999_999])


def test_a_second_annotator_never_gets_the_first_ones_task(
    label_studio, second_annotator, project_id, task_ids
):
    publish(label_studio, project_id, "r1", task_ids)
    first, second = (one.next_task(project_id) for one in (label_studio, second_annotator))
    assert first["id"] == task_ids[0]
    assert second["id"] == task_ids[1]


def test_a_skipped_task_is_asked_of_nobody_again(
    label_studio, second_annotator, project_id, task_ids
):
    publish(label_studio, project_id, "r1", task_ids)
    label_studio.annotate(label_studio.next_task(project_id)["id"], [], was_cancelled=True)
    served = []
    for one in (label_studio, second_annotator):
        while task := one.next_task(project_id):
            served.append(task["id"])
            one.annotate(task["id"], SIREN)
    assert task_ids[0] not in served
    exported = {
        task["id"]: task["annotations"] for task in label_studio.annotated_tasks(project_id)
    }
    assert [annotation["was_cancelled"] for annotation in exported[task_ids[0]]] == [True]


@pytest.mark.parametrize("is_blind", [True, False])
def test_a_blind_project_shows_no_predictions(label_studio, wanted, is_blind):
    project_id = set_up(label_studio, **wanted, is_blind=is_blind).project_id
    task_ids = add_tasks(label_studio, project_id, 3)
    publish(label_studio, project_id, "r1", task_ids[::-1])
    task = label_studio.next_task(project_id)
    assert task["id"] == task_ids[-1]
    assert bool(task["predictions"]) is not is_blind


# --- events ---


def test_every_change_is_announced_with_secret_and_project_and_nothing_else(
    label_studio, backend, project_id, task_ids
):
    created = label_studio.annotate(task_ids[0], SIREN)
    assert created["id"]
    for action in ("TASKS_CREATED", "ANNOTATION_CREATED"):
        (event,) = events(backend, action)
        assert event.path == "/webhook"
        assert event.body == {"action": action}
        assert event.headers["X-Earmark-Secret"] == SECRET
        assert event.headers["X-Earmark-Project"] == str(project_id)


# --- files ---


@pytest.mark.parametrize("name", ["a.wav", "a b.wav", "a#b%c&d+e.wav", "Käuzchen.wav"])
def test_a_prepared_file_is_served(studio, label_studio, project_id, name):
    path = studio.files_root / "earmark" / "clips" / name
    path.write_bytes(b"RIFF" + name.encode())
    address = f"/data/local-files/?d={quote(f'earmark/clips/{name}')}"
    assert label_studio.gives(address)
    assert label_studio.download(address) == path.read_bytes()
    assert Fetcher(label_studio, None, ()).fetch(address) == path.read_bytes()
    assert Fetcher(label_studio, studio.files_root, ()).fetch(address) == path


def test_a_file_that_no_storage_holds_is_not_served(studio, label_studio, project_id):
    (studio.files_root / "loose.wav").write_bytes(b"RIFF")
    address = "/data/local-files/?d=loose.wav"
    assert not label_studio.gives(address)
    with pytest.raises(LabelStudioNotFoundError):
        label_studio.download(address)


@pytest.mark.parametrize("name", ["a.wav", "Käuz #1 & 2%.wav"])
def test_an_uploaded_file_comes_back_and_makes_no_task(label_studio, project_id, name):
    address = label_studio.upload_file(project_id, name, b"RIFF....")
    assert label_studio.gives(address)
    assert label_studio.uploaded_to(address) == project_id
    assert label_studio.download(address) == b"RIFF...."
    assert Fetcher(label_studio, None, ()).fetch(address) == b"RIFF...."
    assert label_studio.tasks(project_id) == []


@pytest.mark.parametrize(
    "address", ["/data/upload/1/gone.wav", "/data/local-files/?d=earmark/clips/gone.wav"]
)
def test_a_file_that_is_gone_is_an_audio_error(label_studio, project_id, address):
    with pytest.raises(AudioError):
        Fetcher(label_studio, None, ()).fetch(address)


# --- the client ---


def test_every_task_is_listed_once_over_many_pages(monkeypatch, label_studio, project_id):
    monkeypatch.setattr(client, "TASKS_PER_PAGE", 7)
    task_ids = add_tasks(label_studio, project_id, 25)
    assert len(set(task_ids)) == 25
    assert task_ids == sorted(task_ids)


def test_predictions_of_a_version_can_be_deleted(label_studio, project_id, task_ids):
    publish(label_studio, project_id, "r1", task_ids)
    publish(label_studio, project_id, "r2", task_ids)
    label_studio.delete_predictions(project_id, "r1")
    with pytest.raises(LabelStudioError, match="exist"):
        label_studio.set_model_version(project_id, "r1")


def test_a_wrong_token_and_an_unknown_project_are_told_apart(studio, label_studio, wanted):
    with pytest.raises(LabelStudioAuthError, match="LABEL_STUDIO_API_KEY"):
        set_up(LabelStudio(studio.url, "0" * 40), **wanted)
    with pytest.raises(LabelStudioNotFoundError):
        set_up(label_studio, **wanted, project_id=999_999)


def test_a_personal_access_token_works_as_well(studio, label_studio, personal_token, project_id):
    personal = LabelStudio(studio.url, personal_token)
    assert personal.whoami()["id"] == label_studio.whoami()["id"]
    assert personal.project(project_id)["id"] == project_id


def test_started_again_it_goes_on_with_the_same_data(studio, label_studio, project_id):
    login, url = studio.credentials, studio.url
    studio.stop()
    studio.start()
    assert (studio.credentials, studio.url) == (login, url)
    assert label_studio.project(project_id)["id"] == project_id


@pytest.mark.postgres
def test_on_postgresql_the_queue_and_the_tab_keep_their_order(wanted, tmp_path):
    with postgres_server() as address:
        create_database(address, "studio")
        there = urlsplit(address)
        database = {
            "DJANGO_DB": "default",
            "POSTGRE_NAME": "studio",
            "POSTGRE_USER": there.username,
            "POSTGRE_PASSWORD": "",
            "POSTGRE_HOST": there.hostname,
            "POSTGRE_PORT": str(there.port),
        }
        with Studio(
            tmp_path / "data", command=COMMAND, port=free_port(0), database_env=database
        ) as studio:
            label_studio = studio.client()
            wanted["files_dir"] = studio.files_root / "earmark"
            project_id = set_up(label_studio, **wanted).project_id
            assert set_up(label_studio, **wanted).changes == ()
            assert_numbers_are_sorted_as_numbers(studio, project_id)
            task_ids = [task["id"] for task in label_studio.tasks(project_id)]
            publish(label_studio, project_id, "r1", task_ids[::-1])
            served = []
            for _ in range(3):
                served.append(label_studio.next_task(project_id)["id"])
                label_studio.annotate(served[-1], SIREN)
            assert served == task_ids[::-1][:3]
