"""The Data Manager of a real Label Studio: its tab follows the queue, its columns tell the truth.

The clips are a synthesized street. ``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from importer.demo.streets import make_street_set
from importer.setup.data_manager_tab import SCORE, ensure_tab
from ml_backend.clip import MODEL_COLUMNS
from tests.browsing import chromium
from tests.live.served import Earmark
from tests.live.test_loop_live import chosen

pytestmark = pytest.mark.live

N_CLIPS = 40
N_LABELS = 10
EVERYWHERE = {"filters": {"conjunction": "and", "items": []}}


@pytest.fixture(scope="module")
def earmark(studio, tmp_path_factory):
    """A backend that publishes in small heads and falls quiet soon."""
    folder = tmp_path_factory.mktemp("columns")
    environment = {"EARMARK_HEAD_SIZE": "8", "EARMARK_QUIET_S": "2"}
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats", **environment) as started:
        yield started


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return make_street_set(tmp_path_factory.mktemp("street"), n_clips=N_CLIPS)


@pytest.fixture(scope="module")
def project_id(earmark, street):
    """A project of the street's clips, labeled one after the other, and then left in peace."""
    project_id = earmark.set_up("Columns", street, n_clips=N_CLIPS)
    before = {task["id"]: task["data"] for task in earmark.label_studio.tasks(project_id)}
    for n_labels in range(N_LABELS):
        task = earmark.label_studio.next_task(project_id)
        earmark.label_studio.annotate(task["id"], chosen(("siren", "other")[n_labels % 2]))
        earmark.wait_for_labels(project_id, n_labels + 1)
    earmark.before = before
    wait_for_columns(earmark, project_id)
    return project_id


def wait_for_columns(earmark, project_id):
    """Wait until every row tells what the current version says."""

    def is_done(status):
        told = [task["data"] for task in earmark.label_studio.tasks(project_id)]
        return all(row.get("earmark_version") == status["model_version"] for row in told)

    return earmark.wait_for(project_id, is_done, limit_s=120)


def predictions(api, project_id):
    return api.get("/api/predictions", params={"project": project_id}).json()


def first_displayed(client, project_id, ordering):
    """Ask as a labeling page does that was opened by its link."""
    path, query = "/api/dm/actions", {"id": "next_task", "project": project_id}
    return client._connection.send(
        "POST", path, query=query, body={**EVERYWHERE, "ordering": ordering}
    )["id"]


def test_every_clip_has_one_prediction_of_the_current_version_in_the_end(earmark, api, project_id):
    version = earmark.model_version(project_id)
    task_ids = set(earmark.before)

    def is_pruned(status):
        held = Counter(one["task"] for one in predictions(api, project_id))
        return held == Counter(task_ids)

    earmark.wait_for(project_id, is_pruned, limit_s=120)
    assert {one["model_version"] for one in predictions(api, project_id)} == {version}
    status = earmark.backend.project(project_id)
    assert status["n_published"] == status["n_ranked"] == N_CLIPS - N_LABELS
    assert status["n_answered_published"] == status["n_answered"] == N_LABELS


def test_columns_tell_what_predictions_tell_and_nothing_else_changed(earmark, api, project_id):
    tasks = {task["id"]: task["data"] for task in earmark.label_studio.tasks(project_id)}
    version = earmark.model_version(project_id)
    for one in predictions(api, project_id):
        if one["model_version"] != version:
            continue
        data, figures, choice = tasks[one["task"]], one["result"][0], one["result"][-1]
        assert [data["earmark_class"]] == choice["value"]["choices"]
        assert data["earmark_probability"] == pytest.approx(choice["score"], abs=0.0051)
        assert data["earmark_entropy"] == pytest.approx(figures["meta"]["entropy"], abs=0.0051)
    for task_id, data in tasks.items():
        assert {n: v for n, v in data.items() if n not in MODEL_COLUMNS} == earmark.before[task_id]
    listed = api.get("/api/tasks", params={"project": project_id, "fields": "all"}).json()["tasks"]
    unlabeled = [task for task in listed if not task["total_annotations"]]
    assert all(not task["updated_by"] for task in unlabeled)


def test_people_can_sort_by_entropy(earmark, api, project_id):
    view = {"title": "Mine", "columnsDisplayType": {"tasks:data.earmark_entropy": "Number"}}
    view["ordering"] = ["-tasks:data.earmark_entropy"]
    made = earmark.label_studio.add_view(project_id, view)
    listed = api.get("/api/tasks", params={"view": made["id"], "page_size": 100}).json()["tasks"]
    api.delete(f"/api/dm/views/{made['id']}/")
    entropies = [task["data"]["earmark_entropy"] for task in listed]
    assert len(set(entropies)) > 3
    assert entropies == sorted(entropies, reverse=True)


def test_as_displayed_the_tab_serves_what_the_queue_serves(earmark, second_annotator, project_id):
    view = earmark.label_studio.views(project_id)[0]["data"]
    assert (view["title"], view["ordering"]) == ("Earmark", [SCORE])
    first = earmark.order(project_id)[0]
    assert first_displayed(earmark.label_studio, project_id, view["ordering"]) == first
    assert first_displayed(second_annotator, project_id, view["ordering"]) == first
    assert first_displayed(earmark.label_studio, project_id, []) != first  # as it was


def test_a_tab_of_before_is_put_in_order_and_first(earmark, label_studio, title):
    project_id = label_studio.create_project(title=title)["id"]
    label_studio.add_view(project_id, {"title": "Default", "ordering": []})
    label_studio.add_view(project_id, {"title": "Earmark", "ordering": ["-tasks:id"]})
    assert ensure_tab(label_studio, project_id, {})
    first, second = label_studio.views(project_id)
    assert (first["data"]["title"], second["data"]["title"]) == ("Earmark", "Default")
    assert first["data"]["ordering"] == [SCORE]
    assert not ensure_tab(label_studio, project_id, {})


@pytest.mark.parametrize("name", ["by hand", ""])
def test_whose_predictions_a_task_has_is_told_truly(label_studio, api, title, name):
    # After the first deletion of a project Label Studio may no longer count predictions.
    another = label_studio.create_project(title="Another", label_config="<View/>")["id"]
    assert api.delete(f"/api/projects/{another}/").status_code == 204
    project_id = label_studio.create_project(title=title, label_config="<View/>")["id"]
    label_studio.import_tasks(project_id, [{"data": {"text": str(n)}} for n in range(3)])
    task_ids = [task["id"] for task in label_studio.tasks(project_id)]
    ours = [{"task": one, "model_version": "v1", "result": [], "score": 0.5} for one in task_ids]
    label_studio.import_predictions(project_id, ours[:2])
    foreign = {"task": task_ids[0], "project": project_id, "result": [], "model_version": name}
    assert api.post("/api/predictions/", json=foreign).status_code == 201
    held = label_studio.data_manager.prediction_versions(project_id, [*task_ids, 999_999])
    assert {task_id: sorted(names) for task_id, names in held.items()} == {
        task_ids[0]: sorted([name, "v1"]),
        task_ids[1]: ["v1"],
        task_ids[2]: [],
    }
    label_studio.data_manager.delete_predictions(project_id, task_ids[1:])
    label_studio.import_predictions(project_id, ours[2:])
    held = label_studio.data_manager.prediction_versions(project_id, task_ids[1:])
    assert held == {task_ids[1]: [], task_ids[2]: ["v1"]}


# --- in a browser ---


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def open_page(browser, studio):
    contexts = []

    def run(path, email=studio.credentials.username, password=studio.credentials.password):
        context = browser.new_context(viewport={"width": 1400, "height": 950})
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{studio.url}/user/login/")
        page.fill("[name=email]", email)
        page.fill("[name=password]", password)
        page.click("button[type=submit]")
        page.wait_for_url(re.compile("/(projects)?/?$"))
        page.goto(f"{studio.url}{path}")
        return page

    yield run
    for context in contexts:
        context.close()


@pytest.fixture
def pictures(tmp_path):
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def head(earmark, project_id):
    """The names of the first clips of the order."""
    tasks = {task["id"]: task["data"]["clip"] for task in earmark.label_studio.tasks(project_id)}
    return [tasks[task_id] for task_id in earmark.order(project_id)[:3]]


def is_on_the_labeling_page(page, clip):
    page.locator(".lsf-choices").first.wait_for(timeout=60_000)
    page.get_by_text(clip).first.wait_for(timeout=10_000)


@pytest.mark.browser
@pytest.mark.parametrize(
    "who", [{}, {"email": "second@earmark.local", "password": "second-password-1"}]
)
def test_by_its_link_in_a_fresh_browser_the_page_serves_the_head_of_the_queue(
    open_page, earmark, second_token, project_id, who
):
    page = open_page(f"/projects/{project_id}/data?labeling=1", **who)
    is_on_the_labeling_page(page, head(earmark, project_id)[0])


@pytest.mark.browser
def test_as_displayed_serves_the_head_of_the_queue(open_page, earmark, project_id):
    page = open_page(f"/projects/{project_id}/data")
    page.get_by_role("button", name="Label All Tasks").wait_for(timeout=60_000)
    page.get_by_role("button", name="Toggle open").click()
    page.get_by_text("Label Tasks As Displayed").click()
    is_on_the_labeling_page(page, head(earmark, project_id)[0])


@pytest.mark.browser
def test_the_tab_is_in_queue_order_and_shows_what_the_model_says(
    open_page, earmark, project_id, pictures
):
    page = open_page(f"/projects/{project_id}/data")
    first, second, third = head(earmark, project_id)
    for name in (first, second, third, "earmark_entropy", "earmark_class"):
        page.get_by_text(name, exact=True).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1_000)
    page.screenshot(path=str(pictures / "data_manager.png"))
    tops = [page.get_by_text(name, exact=True).first.bounding_box()["y"] for name in
            (first, second, third)]  # fmt: skip
    assert tops == sorted(tops)
    assert page.locator(".dm-table").get_by_text("Prediction score").count() == 0
