"""A tab of the Data Manager with exactly the tasks that were chosen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from importer.setup.data_manager_tab import ensure_tab
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.label_studio.task_tab import numbers_pattern
from ml_backend.web.api.tab import MAX_TASKS, MAX_TITLE
from tests.fake_label_studio import TOKEN
from tests.visiting import OTHER_TOKEN, Place, csrf

CONFIG = label_config_xml(("siren", "other"), multi_label=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(
        tmp_path_factory.mktemp("files"), studio_pages_address="https://studio.example.org/"
    )
    yield made
    made.store.close()


@pytest.fixture
def make_tab(place):
    project_id, _ = place.add_project(CONFIG)
    bob = place.browser(OTHER_TOKEN)

    def make_tab(title="Sirens", task_ids=(3, 1, 2)):
        body = {"title": title, "task_ids": task_ids}
        return bob.post(f"/projects/{project_id}/tab", json=body, headers=csrf(bob))

    return make_tab


def test_the_tab_is_made_and_its_address_is_one_that_browsers_reach(place, make_tab):
    answer = make_tab("  Sirens at night ")
    tab = place.studio.views[-1]
    assert answer.get_json()["address"] == (
        f"https://studio.example.org/projects/{tab['project']}/data?tab={tab['id']}"
    )
    assert tab["data"]["title"] == "Sirens at night"


def test_the_tab_filters_in_the_one_way_that_the_data_manager_can_show(place, make_tab):
    make_tab()
    data = place.studio.views[-1]["data"]
    (only,) = data["filters"]["items"]
    assert only == {
        "filter": "filter:tasks:id", "operator": "regex", "type": "String", "value": "^[123]$",
    }  # fmt: skip
    assert data["columnsDisplayType"] == {"tasks:id": "String"}
    assert data["hiddenColumns"] == {"explore": [], "labeling": []}


def test_the_tab_shows_the_columns_of_earmark_s_own_and_the_number_it_filters_by(place):
    project_id, _ = place.add_project(CONFIG)
    studio = place.studio.client()
    ensure_tab(studio, project_id, {"level_db": "Number"})
    own = place.studio.views[-1]["data"]
    own["hiddenColumns"]["explore"].append("tasks:id")
    studio.add_tab(project_id, "Sirens", [1, 2])
    made = place.studio.views[-1]["data"]
    assert "tasks:data.content_hash" in made["hiddenColumns"]["explore"]
    assert made["hiddenColumns"]["labeling"] == own["hiddenColumns"]["labeling"]
    assert "tasks:id" not in made["hiddenColumns"]["explore"]
    assert made["columnsDisplayType"] == {**own["columnsDisplayType"], "tasks:id": "String"}


@given(some.sets(some.integers(0, 1200), min_size=1))
def test_the_pattern_matches_the_numbers_and_no_others(wanted):
    pattern = re.compile(numbers_pattern(wanted))
    assert {number for number in range(1300) if pattern.search(str(number))} == wanted


def test_the_pattern_of_many_numbers_stays_short():
    assert len(numbers_pattern(range(1, 8733, 4))) < 3 * 8732 / 4


@pytest.mark.parametrize(
    ("title", "task_ids"),
    [
        ("", [1]),
        ("  ", [1]),
        (None, [1]),
        ("x" * (MAX_TITLE + 1), [1]),
        ("Sirens", []),
        ("Sirens", ["1"]),
        ("Sirens", "1"),
        ("Sirens", list(range(1, MAX_TASKS + 2))),
    ],
)
def test_what_makes_no_tab_is_refused(place, make_tab, title, task_ids):
    n_tabs = len(place.studio.views)
    assert make_tab(title, task_ids).status_code == 400
    assert len(place.studio.views) == n_tabs


def test_no_tab_is_made_in_nobodys_name(place):
    project_id, _ = place.add_project(CONFIG)
    body = {"title": "Sirens", "task_ids": [1]}
    answer = place.browser().post(
        f"/projects/{project_id}/tab", json=body, auth=("earmark", place.settings.secret)
    )
    assert answer.status_code == 403
    assert TOKEN not in answer.get_data(as_text=True)
