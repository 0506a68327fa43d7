"""What the backend answers: to Label Studio, to people, and to whoever should not be calling."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web import create_app
from ml_backend.web.http.body import MAX_JSON_BYTES
from tests.fake_label_studio import TOKEN, FakeLabelStudio

SECRET = "a secret of the tests"
BASIC = ("earmark", SECRET)
CONFIG = label_config_xml(("siren", "other"), multi_label=False)


@pytest.fixture
def studio():
    return FakeLabelStudio()


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data_dir=tmp_path, secret=SECRET, embedder="melstats", api_key=TOKEN, files_root=tmp_path
    )


@pytest.fixture
def store(settings):
    opened = open_store(settings.store_url)
    yield opened
    opened.close()


@pytest.fixture
def app(settings, studio):
    return create_app(settings, studio.client())


@pytest.fixture
def client(app):
    return app.test_client()


def test_anybody_may_ask_whether_it_is_up(client):
    assert client.get("/health").get_json()["status"] == "UP"


@pytest.mark.parametrize("header", [SECRET, "wrong", None])
def test_the_webhook_is_let_in_by_its_header_alone(client, header):
    headers = {} if header is None else {"X-Earmark-Secret": header}
    body = {"action": "ANNOTATION_CREATED", "project": {"id": 3}}
    answer = client.post("/webhook", json=body, headers=headers)
    assert answer.status_code == (200 if header == SECRET else 401)


@pytest.mark.parametrize(
    ("action", "reads_labels", "reads_tasks"),
    [
        ("ANNOTATION_CREATED", True, False),
        ("ANNOTATIONS_CREATED", True, False),
        ("ANNOTATION_UPDATED", True, False),
        ("ANNOTATIONS_DELETED", True, False),
        ("TASKS_CREATED", True, True),
        ("TASKS_DELETED", True, True),
        ("PROJECT_UPDATED", False, False),
        ("START_TRAINING", True, True),
    ],
)
def test_an_event_only_marks_its_project(client, store, action, reads_labels, reads_tasks):
    store.agenda.hint(3, now=1.0)
    store.agenda.finish(store.agenda.take(3, now=2.0, lease_s=1.0), now=3.0)
    body = {"action": action, "project": {"id": 3, "title": "Street"}}
    assert client.post("/webhook", json=body, auth=BASIC).status_code == 200
    assert store.agenda.is_waiting(3)
    turn = store.agenda.take(3, now=9e9, lease_s=1.0)
    assert (turn.labels_changed, turn.tasks_changed) == (reads_labels, reads_tasks)


def test_an_event_without_its_payload_names_the_project_in_a_header(client, store):
    headers = {"X-Earmark-Secret": SECRET, "X-Earmark-Project": "12"}
    answer = client.post("/webhook", json={"action": "TASKS_CREATED"}, headers=headers)
    assert answer.get_json()["project"] == 12
    assert store.agenda.project_ids() == [12]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"action": "COFFEE_READY", "project": {"id": 3}}, "COFFEE_READY"),
        ({"project": {"id": 3}}, "None"),
        ({"action": "ANNOTATION_CREATED"}, "project"),
        ({"action": "ANNOTATION_CREATED", "project": {"id": "x"}}, "project"),
        (["ANNOTATION_CREATED"], "JSON object"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused_with_a_word_and_changes_nothing(
    client, store, body, said
):
    answer = client.post("/webhook", json=body, auth=BASIC)
    assert answer.status_code == 400
    assert said in answer.get_json()["error"]
    assert store.agenda.project_ids() == []


@pytest.mark.parametrize("route", ["/webhook", "/predict", "/setup"])
@pytest.mark.parametrize("body", [b"", b"{", b"null", b"\xff\xfe", b"[1, 2]"])
def test_a_body_that_is_no_json_object_is_refused(client, route, body):
    answer = client.post(route, data=body, auth=BASIC, content_type="application/json")
    assert answer.status_code == 400
    assert route in answer.get_json()["error"]


@pytest.mark.parametrize("n_deep", [100, 200_000])
def test_json_that_is_nested_without_end_is_refused(client, n_deep):
    body = f'{{"action": {"[" * n_deep}{"]" * n_deep}}}'
    answer = client.post("/webhook", data=body, auth=BASIC, content_type="application/json")
    assert answer.status_code == 400


def test_only_where_label_studio_sends_whole_tasks_may_a_request_be_large(client):
    body = {"project": {"id": 3}, "action": "TASKS_CREATED", "tasks": "x" * MAX_JSON_BYTES}
    assert client.post("/webhook", json=body, auth=BASIC).status_code == 200
    answer = client.post("/setup", json=body, auth=BASIC)
    assert answer.status_code == 413
    assert str(MAX_JSON_BYTES) in answer.get_json()["error"]


def test_connecting_a_project_starts_looking_after_it(client, store):
    body = {"project": "7.1763800000", "schema": CONFIG, "hostname": "http://studio.test"}
    answer = client.post("/setup", json=body, auth=BASIC)
    assert answer.get_json() == {"model_version": None}
    assert store.agenda.project_ids() == [7]


def test_connecting_a_project_that_cannot_be_learned_says_why(client, store):
    body = {"project": "7.1", "schema": "<View><Text name='t' value='$t'/></View>"}
    answer = client.post("/setup", json=body, auth=BASIC)
    assert answer.status_code == 400
    assert "<Audio>" in answer.get_json()["error"]
    assert store.agenda.project_ids() == []


def test_a_project_without_a_version_gets_an_answer_for_every_task(client, studio):
    project_id = studio.add_project(CONFIG)
    tasks = [{"id": 1, "data": {"audio": "/a.wav"}}, {"id": 2}, "no task", None]
    body = {"tasks": tasks, "project": f"{project_id}.1", "label_config": CONFIG}
    results = client.post("/predict", json=body, auth=BASIC).get_json()["results"]
    assert [one["result"] for one in results] == [[], [], [], []]


def test_no_tasks_get_no_answers(client, studio):
    body = {"tasks": [], "project": str(studio.add_project(CONFIG)), "label_config": CONFIG}
    assert client.post("/predict", json=body, auth=BASIC).get_json() == {"results": []}


def test_a_project_that_label_studio_does_not_know_is_named(client):
    body = {"tasks": [{"id": 1}], "project": "99", "label_config": CONFIG}
    answer = client.post("/predict", json=body, auth=BASIC)
    assert answer.status_code == 404
    assert "99" in answer.get_json()["error"]


@pytest.mark.parametrize("label_config", ["<View/>", "no XML", 7, ["<View/>"]])
def test_a_label_config_that_cannot_be_learned_is_named(client, studio, label_config):
    project_id = studio.add_project(CONFIG)
    body = {"tasks": [{"id": 1}], "project": project_id, "label_config": label_config}
    answer = client.post("/predict", json=body, auth=BASIC)
    assert answer.status_code == 400
    assert "label config" in answer.get_json()["error"]


@pytest.mark.parametrize("tasks", [None, {}, "all", 7])
def test_tasks_that_are_no_list_are_refused(client, tasks):
    answer = client.post("/predict", json={"tasks": tasks, "project": "1"}, auth=BASIC)
    assert answer.status_code == 400
    assert "tasks" in answer.get_json()["error"]


@pytest.mark.slow
def test_a_label_studio_that_is_down_is_named_without_the_token(client, studio):
    studio.is_down = True
    answer = client.post("/predict", json={"tasks": [{"id": 1}], "project": "1"}, auth=BASIC)
    assert answer.status_code == 502
    assert "Label Studio" in answer.get_json()["error"]
    assert TOKEN not in answer.get_data(as_text=True)


def test_a_failure_of_our_own_shows_no_traceback(app):
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    answer = app.test_client().get("/broken", auth=BASIC)
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.get_json()["error"]
    assert "Traceback" not in answer.get_data(as_text=True)


def test_the_status_tells_how_a_project_stands(client, store):
    store.facts.write("embedder", {"embedder_id": "melstats-2", "warning": "no weights"})
    store.agenda.hint(7, now=1.0)
    store.agenda.describe(7, title="Street", class_names=["siren", "other"])
    status = client.get("/status", auth=BASIC).get_json()
    assert status["warning"] == "no weights"
    (project,) = status["projects"]
    assert project["project"] == 7
    assert project["title"] == "Street"
    assert project["labels"] == {"siren": 0, "other": 0}
    assert project["is_waiting"] is True
    assert "earmark import" in project["state"]


def test_prometheus_understands_the_metrics(client, store):
    store.agenda.hint(7, now=1.0)
    client.get("/health")
    text = client.get("/metrics", auth=BASIC).get_data(as_text=True)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["earmark_clips"].samples[0].labels == {"project": "7"}
    routes = {sample.labels.get("route") for sample in families["earmark_request_seconds"].samples}
    assert "/health" in routes


def test_methods_that_clients_make_up_are_counted_as_one(client):
    for method in ("BREW", "WHEN"):
        client.open("/health", method=method)
    metrics = client.get("/metrics", auth=BASIC).get_data(as_text=True)
    assert 'method="other"' in metrics
    assert "BREW" not in metrics
