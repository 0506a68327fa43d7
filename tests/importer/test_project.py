"""Set-up looks at what is there, makes what is missing, and leaves people's own choices alone."""

import json

import httpx
import pytest

from importer.setup.data_manager_tab import ensure_tab
from importer.setup.instructions import EARLIER as EARLIER_INSTRUCTIONS
from importer.setup.page_links import describe, instruct
from importer.setup.project import set_up
from ml_backend.errors import (
    LabelConfigError,
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
    SettingsError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import label_config_xml
from tests.label_studio.test_label_config import EARLIER as EARLIER_PAGE

BACKEND = "http://earmark.test:9090"
SECRET = "the-secret"
NEW_PROJECT = {
    "label_config": "<View></View>",
    "sampling": "Sequential sampling",
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "show_collab_predictions": True,
    "show_instruction": False,
    "expert_instruction": "",
    "description": "",
    "model_version": "",
    "num_tasks_with_annotations": 0,
}


class Server:
    """The set-up half of Label Studio, with the habits that set-up has to deal with."""

    def __init__(self):
        self.rows = {"projects": [], "webhooks": [], "ml": [], "localfiles": [], "views": []}
        self.writes = 0
        self.is_backend_up = True
        self.document_root = "/"
        self.refuses_label_configs = False

    def __call__(self, request):
        kind, _, number = request.url.path.rstrip("/").rpartition("/")
        if not number.isdigit():
            kind, number = number, None
        if kind == "order":
            self.writes += 1
            ids = json.loads(request.content)["ids"]
            self.rows["views"].sort(key=lambda row: ids.index(row["id"]))
            return httpx.Response(200)
        rows = self.rows[kind.rpartition("/")[2]]
        if request.method == "GET" and number is None:
            project = request.url.params.get("project")
            found = [row for row in rows if project is None or row["project"] == int(project)]
            if kind == "projects":
                return httpx.Response(200, json={"count": len(found), "results": found})
            return httpx.Response(200, json=found)
        if number is not None:
            row = next((row for row in rows if row["id"] == int(number)), None)
            if row is None:
                return httpx.Response(404, json={"detail": "No match."})
            if request.method == "GET":
                return httpx.Response(200, json=row)
        self.writes += 1
        fields = json.loads(request.content)
        if number is None:
            row = {"id": 1 + sum(map(len, self.rows.values()))}
            if kind == "projects":
                row |= NEW_PROJECT
        refusal = self.refusal(kind.rpartition("/")[2], fields)
        if refusal:
            return httpx.Response(400, json={"validation_errors": {"non_field_errors": [refusal]}})
        row |= fields
        if number is None:
            rows.append(row)
        return httpx.Response(200, json=row)

    def refusal(self, kind, fields):
        if self.refuses_label_configs and "label_config" in fields:
            return "Created annotations are incompatible with provided labeling schema"
        if kind == "localfiles" and not fields["path"].startswith(self.document_root):
            return f'Absolute local path "{fields["path"]}" must be a subdirectory of the root'
        if kind == "ml":
            if not self.is_backend_up:
                return "Can't connect to ML backend, health check failed."
            fields["state"] = "CO"
            self.passwords = fields.pop("basic_auth_pass")
            project = self.rows["projects"][0]
            if project["show_collab_predictions"] and not project["model_version"]:
                project["model_version"] = fields["title"]  # the new backend becomes the model
            url = fields["url"] + "/webhook"
            if not any(webhook["url"] == url for webhook in self.rows["webhooks"]):
                bare = {"id": 99, "project": fields["project"], "url": url, "headers": {}}
                bare |= {"send_payload": True, "send_for_all_actions": True, "is_active": True}
                self.rows["webhooks"].append(bare)
        return None

    def only(self, kind):
        (row,) = self.rows[kind]
        return row


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def label_studio(server):
    return LabelStudio("http://studio.test", "token", transport=httpx.MockTransport(server))


@pytest.fixture
def wanted(tmp_path):
    return {
        "backend_url": BACKEND,
        "secret": SECRET,
        "title": "Street",
        "labels": ("siren", "other"),
        "files_dir": tmp_path / "files",
    }


def test_where_a_clip_may_have_several_labels_the_instructions_tell_of_none(
    server, label_studio, wanted
):
    set_up(label_studio, **wanted, multi_label=True)
    told = server.only("projects")["expert_instruction"]
    assert "If you hear none of the\nlabels, choose <b>none of them</b>" in told


def test_a_new_project_gets_everything_the_loop_needs(server, label_studio, wanted, tmp_path):
    report = set_up(label_studio, **wanted)
    project = server.only("projects")
    assert report.project_id == project["id"]
    assert report.url == f"http://studio.test/projects/{project['id']}"
    assert project["title"] == "Street"
    assert project["label_config"] == label_config_xml(["siren", "other"], multi_label=False)
    assert project["sampling"] == "Uncertainty sampling"
    assert project["skip_queue"] == "IGNORE_SKIPPED"
    assert project["enable_empty_annotation"] is False
    assert project["show_collab_predictions"] is True
    assert project["show_instruction"] is True
    assert "Skip" in project["expert_instruction"]
    assert "none of them" not in project["expert_instruction"]
    assert server.only("localfiles")["path"] == str(tmp_path / "files" / "clips")
    assert (tmp_path / "files" / "clips").is_dir()
    assert server.only("views")["data"]["title"] == "Earmark"


def test_the_backend_and_its_one_webhook_carry_the_secret(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    backend = server.only("ml")
    assert (backend["url"], backend["is_interactive"]) == (BACKEND, False)
    assert (backend["auth_method"], backend["basic_auth_user"]) == ("BASIC_AUTH", "earmark")
    assert server.passwords == SECRET
    webhook = server.only("webhooks")
    project_id = str(server.only("projects")["id"])
    assert webhook["url"] == f"{BACKEND}/webhook"
    assert webhook["headers"] == {"X-Earmark-Secret": SECRET, "X-Earmark-Project": project_id}
    assert webhook["send_payload"] is False


def test_the_backend_is_not_left_chosen_as_the_model(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    assert server.only("projects")["model_version"] == ""


def test_a_version_that_was_published_stays_current(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    server.only("projects")["model_version"] = "r7"
    set_up(label_studio, **{**wanted, "secret": "another"})
    assert server.only("projects")["model_version"] == "r7"


def test_run_again_it_changes_nothing(server, label_studio, wanted):
    assert set_up(label_studio, **wanted).changes
    server.writes = 0
    report = set_up(label_studio, **wanted)
    assert (report.changes, report.warnings, server.writes) == ((), (), 0)


def test_the_secret_is_in_no_report(label_studio, wanted):
    assert SECRET not in repr(set_up(label_studio, **wanted))


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("projects", "sampling", "Sequential sampling", "sampling"),
        ("projects", "skip_queue", "REQUEUE_FOR_OTHERS", "skip_queue"),
        ("ml", "url", "http://old.test:9090", "connection"),
        ("ml", "state", "ER", "connection"),
        ("ml", "auth_method", "NONE", "connection"),
        ("webhooks", "headers", {}, "events"),
        ("webhooks", "is_active", False, "events"),
        ("webhooks", "send_payload", True, "events"),
    ],
)
def test_what_broke_is_mended_and_named(server, label_studio, wanted, kind, field, value, words):
    set_up(label_studio, **wanted)
    before = json.loads(json.dumps(server.rows))
    server.only(kind)[field] = value
    report = set_up(label_studio, **wanted)
    assert any(words in change for change in report.changes)
    assert server.rows == before


def test_what_was_deleted_is_made_again(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    for kind in ("ml", "webhooks", "localfiles", "views"):
        server.rows[kind].clear()
    assert len(set_up(label_studio, **wanted).changes) == 4
    assert all(len(rows) == 1 for rows in server.rows.values())


def test_the_webhook_that_label_studio_made_by_itself_is_given_the_secret(
    server, label_studio, wanted
):
    set_up(label_studio, **wanted)
    server.only("webhooks").update(headers={}, send_payload=True)
    set_up(label_studio, **wanted)
    assert server.only("webhooks")["headers"]["X-Earmark-Secret"] == SECRET


def test_a_new_secret_reaches_the_backend_and_the_webhook(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    set_up(label_studio, **{**wanted, "secret": "another"})
    assert server.passwords == "another"
    assert server.only("webhooks")["headers"]["X-Earmark-Secret"] == "another"


def test_a_backend_that_moved_is_followed(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    set_up(label_studio, **{**wanted, "backend_url": "http://moved.test:9090"})
    assert server.only("ml")["url"] == "http://moved.test:9090"
    moved = [row for row in server.rows["webhooks"] if row["headers"]]
    assert [row["url"] for row in moved] == ["http://moved.test:9090/webhook"]


def test_a_backend_that_is_down_comes_with_the_remedy_and_can_be_connected_later(
    server, label_studio, wanted
):
    server.is_backend_up = False
    with pytest.raises(LabelStudioError, match="earmark serve"):
        set_up(label_studio, **wanted)
    server.is_backend_up = True
    assert set_up(label_studio, **wanted).changes == (f"connected the backend at {BACKEND}",)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://ml-backend:9090", r"ml-backend\.internal"),
        ("http://0.0.0.0:9090", "no address that Label Studio can call"),
        ("earmark.test:9090", "EARMARK_URL"),
        ("http://[::1", "EARMARK_URL"),
        ("", "EARMARK_URL"),
    ],
)
def test_an_address_that_gets_no_events_is_refused_before_anything_is_made(
    server, label_studio, wanted, url, words
):
    with pytest.raises(SettingsError, match=words):
        set_up(label_studio, **{**wanted, "backend_url": url})
    assert server.writes == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9090", "http://localhost:9090", "http://[::1]:9090"]
)
def test_an_address_on_this_machine_is_accepted(label_studio, wanted, url):
    assert set_up(label_studio, **{**wanted, "backend_url": url}).changes


# --- what people shaped to their taste ---


def test_a_label_config_that_somebody_changed_is_kept_and_said(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    own = label_config_xml(["siren", "horn", "other"], multi_label=False)
    server.only("projects")["label_config"] = own
    report = set_up(label_studio, **wanted)
    assert server.only("projects")["label_config"] == own
    assert "siren, horn, other" in report.warnings[0]


def test_a_mere_change_of_looks_is_kept_without_a_word(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    server.only("projects")["label_config"] += "<!-- mine -->"
    assert set_up(label_studio, **wanted).warnings == ()


def earlier(server):
    """Give the project what an earlier Earmark wrote: page, options, instructions."""
    project = server.only("projects")
    links = project["expert_instruction"].rpartition("\n")[2]
    instructions = f"{EARLIER_INSTRUCTIONS[0]}\n{links}"
    project.update(
        label_config=EARLIER_PAGE, enable_empty_annotation=True, expert_instruction=instructions
    )
    return project


@pytest.mark.parametrize("labels", [("siren", "other"), ()])
def test_what_an_earlier_version_wrote_is_renewed(server, label_studio, wanted, labels):
    set_up(label_studio, **wanted)
    now = {**server.only("projects")}
    project = earlier(server)
    report = set_up(label_studio, **{**wanted, "labels": labels})
    assert report.changes == (
        "renewed the labeling page",
        "set enable_empty_annotation",
        "renewed the instructions",
    )
    assert report.warnings == ()
    assert project == now


def test_a_page_that_label_studio_does_not_let_go_is_kept_and_said(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    project = earlier(server)
    server.refuses_label_configs = True
    report = set_up(label_studio, **wanted)
    assert project["label_config"] == EARLIER_PAGE
    assert "keeps the earlier labeling page" in report.warnings[0]
    assert "incompatible" in report.warnings[0]
    assert project["enable_empty_annotation"] is False


OWN = (
    '<View><Audio name="audio" value="$audio"/><Choices name="kind" toName="audio"{more}>'
    '<Choice value="siren"/><Choice value="other"/></Choices></View>'
)


@pytest.mark.parametrize(
    ("more", "is_warned", "may_be_empty"),
    [
        ("", True, False),
        (' required="true"', False, False),
        (' choice="multiple"', False, True),
    ],
)
def test_a_label_config_of_ones_own_is_kept_and_what_it_lacks_is_said(
    server, label_studio, wanted, more, is_warned, may_be_empty
):
    set_up(label_studio, **wanted)
    own = OWN.format(more=more)
    server.only("projects").update(label_config=own, enable_empty_annotation=True)
    report = set_up(label_studio, **{**wanted, "labels": ()})
    assert server.only("projects")["label_config"] == own
    assert server.only("projects")["enable_empty_annotation"] is may_be_empty
    said = " ".join(report.warnings)
    assert ('required="true" to <Choices name="kind">' in said) is is_warned


def test_a_label_config_is_replaced_when_asked(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    server.only("projects")["num_tasks_with_annotations"] = 3
    report = set_up(label_studio, **{**wanted, "labels": ("a", "b"), "replace_label_config": True})
    assert "wrote the label config" in report.changes
    assert "existing annotations" in report.warnings[0]


def test_what_somebody_wrote_is_kept_and_the_links_stand_below_it(server, label_studio, wanted):
    set_up(label_studio, **wanted)
    own = {"expert_instruction": "Mine.", "description": "Ours.\nTwo lines."}
    server.only("projects").update(own, show_instruction=False)
    assert set_up(label_studio, **wanted).changes == ("linked the map and the progress page",)
    project = server.only("projects")
    assert project["expert_instruction"].startswith("Mine.\n<p>Earmark: ")
    assert project["description"].startswith("Ours.\nTwo lines.\nEarmark: label ")
    assert project["show_instruction"] is False
    assert set_up(label_studio, **wanted).changes == ()


def test_the_links_follow_the_backend_and_stand_where_somebody_moved_them(
    server, label_studio, wanted
):
    set_up(label_studio, **wanted)
    project = server.only("projects")
    for name in ("description", "expert_instruction"):
        project[name] = f"{project[name]}\nAnd this."
    pages_url = "https://earmark.example.org/"
    set_up(label_studio, **wanted, pages_url=pages_url)
    address = f"{pages_url}projects/{project['id']}"
    for name in ("description", "expert_instruction"):
        assert project[name].count(f"{address}/map") == 1
        assert project[name].count(address) == 3
        assert "earmark.test" not in project[name]
        assert project[name].endswith("\nAnd this.")
    assert "<b>Skip</b>" in project["expert_instruction"]


@pytest.mark.parametrize("is_blind", [True, False])
def test_blindness_stays_until_it_is_asked_for_again(server, label_studio, wanted, is_blind):
    set_up(label_studio, **wanted, is_blind=is_blind)
    set_up(label_studio, **wanted)
    assert server.only("projects")["show_collab_predictions"] is not is_blind
    set_up(label_studio, **wanted, is_blind=not is_blind)
    assert server.only("projects")["show_collab_predictions"] is is_blind


# --- which project ---


def test_a_project_is_found_by_its_number(server, label_studio, wanted):
    first = set_up(label_studio, **wanted)
    again = set_up(label_studio, **{**wanted, "title": "ignored"}, project_id=first.project_id)
    assert (again.project_id, again.title, again.changes) == (first.project_id, "Street", ())


def test_two_projects_of_one_title_are_not_guessed_between(server, label_studio, wanted):
    for number in (5, 6):
        server.rows["projects"].append({"id": number, **NEW_PROJECT, "title": "Street"})
    with pytest.raises(LabelStudioError, match=r"\(5, 6\)"):
        set_up(label_studio, **wanted)


def test_an_unknown_number_is_not_found(label_studio, wanted):
    with pytest.raises(LabelStudioNotFoundError, match="/api/projects/77"):
        set_up(label_studio, **wanted, project_id=77)


def test_a_new_project_needs_labels(server, label_studio, wanted):
    with pytest.raises(LabelConfigError, match=r"'Street'.*labels"):
        set_up(label_studio, **{**wanted, "labels": ()})
    assert server.writes == 0


def test_a_label_config_that_cannot_be_learned_is_refused_before_anything_is_made(
    server, label_studio, wanted
):
    with pytest.raises(LabelConfigError):
        set_up(label_studio, **wanted, label_config="<View><Text name='t' value='$t'/></View>")
    assert server.writes == 0


def test_an_existing_project_that_cannot_be_learned_is_refused(server, label_studio, wanted):
    text = "<View><Text name='t' value='$t'/></View>"
    project = {"id": 5, **NEW_PROJECT, "title": "Street", "label_config": text}
    server.rows["projects"].append(project)
    with pytest.raises(LabelConfigError):
        set_up(label_studio, **wanted)


# --- Label Studio is in trouble ---


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401, json={"detail": "Invalid token."}), LabelStudioAuthError),
        (httpx.Response(503), LabelStudioUnreachableError),
        (httpx.Response(500), LabelStudioError),
    ],
)
def test_trouble_is_passed_on_by_its_name(monkeypatch, wanted, answer, error):
    monkeypatch.setattr("ml_backend.label_studio.connection.RETRY_PAUSES_S", ())
    transport = httpx.MockTransport(lambda request: answer)
    with pytest.raises(error):
        set_up(LabelStudio("http://studio.test", "token", transport=transport), **wanted)


def test_a_folder_outside_the_document_root_comes_with_the_remedy(server, label_studio, wanted):
    server.document_root = "/somewhere/else"
    with pytest.raises(LabelStudioError, match=r"DOCUMENT_ROOT.*must be a subdirectory"):
        set_up(label_studio, **wanted)


# --- the tab ---


def test_columns_get_their_types_and_keep_those_that_somebody_chose(server, label_studio):
    ensure_tab(label_studio, 1, {"salience": "Number"})
    server.only("views")["data"]["columnsDisplayType"] = {"tasks:data.salience": "String"}
    assert ensure_tab(label_studio, 1, {"salience": "Number", "recorded": "Datetime"})
    assert server.only("views")["data"]["columnsDisplayType"] == {
        "tasks:data.salience": "String",
        "tasks:data.recorded": "Datetime",
        "tasks:data.onset_s": "Number",
        "tasks:data.duration_s": "Number",
        "tasks:data.earmark_probability": "Number",
        "tasks:data.earmark_entropy": "Number",
    }
    assert not ensure_tab(label_studio, 1, {"salience": "Number", "recorded": "Datetime"})


def test_other_tabs_are_left_alone(server, label_studio):
    own = {"id": 1, "project": 1, "data": {"title": "Mine", "columnsDisplayType": {}}}
    server.rows["views"].append(own)
    ensure_tab(label_studio, 1, {"salience": "Number"})
    assert own["data"] == {"title": "Mine", "columnsDisplayType": {}}
    assert len(server.rows["views"]) == 2


def test_the_tab_that_opens_by_itself_is_in_queue_order(server, label_studio):
    server.rows["views"].append({"id": 1, "project": 1, "data": {"title": "Default"}})
    assert ensure_tab(label_studio, 1, {})
    first, second = server.rows["views"]
    assert (first["data"]["title"], second["data"]["title"]) == ("Earmark", "Default")
    assert first["data"]["ordering"] == ["tasks:predictions_score"]
    assert not ensure_tab(label_studio, 1, {})


def test_the_place_in_the_queue_is_not_shown_as_a_prediction_score(server, label_studio):
    ensure_tab(label_studio, 1, {})
    hidden = server.only("views")["data"]["hiddenColumns"]
    assert all("tasks:predictions_score" in hidden[place] for place in ("explore", "labeling"))


def test_a_tab_of_before_is_mended_and_keeps_what_somebody_made_of_it(server, label_studio):
    filters = {"conjunction": "and", "items": [{"filter": "filter:tasks:data.salience"}]}
    tab = {
        "title": "Earmark",
        "hiddenColumns": {"explore": ["tasks:data.weather"]},
        "filters": filters,
        "ordering": ["-tasks:data.salience"],
    }
    server.rows["views"].append({"id": 1, "project": 1, "data": tab})
    assert ensure_tab(label_studio, 1, {})
    mended = server.only("views")["data"]
    assert mended["ordering"] == ["tasks:predictions_score"]
    assert mended["hiddenColumns"]["explore"] == ["tasks:data.weather", "tasks:predictions_score"]
    assert mended["filters"] == filters
    assert not ensure_tab(label_studio, 1, {})


@pytest.mark.parametrize("put", [describe, instruct])
def test_the_line_of_an_earlier_release_is_brought_up_to_date(put):
    new = put("Ours.", "http://host", 7)
    old = new.replace("label http://host/projects/7/label · ", "").replace(
        '<a href="http://host/projects/7/label">label and go on</a> · ', ""
    )
    assert "label" not in old
    assert put(old, "http://host", 7) == new
