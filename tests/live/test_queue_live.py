"""`earmark queue` against a real Label Studio: it serves what is asked for, then the rest."""

import csv

import pytest

from tests.live.test_loop_live import chosen, next_task

pytestmark = pytest.mark.live

N_CLIPS = 24
CONDITION = "salience == 1 and hour(recorded_at) >= 20"


def is_wanted(task):
    data = task["data"]
    return data["salience"] == 1 and int(data["recorded_at"][11:13]) >= 20


@pytest.fixture(scope="module")
def rows(shared):
    """Clips of many recordings, each with an hour of the night or of the day."""
    with (shared / "data" / "us8k_dev" / "metadata.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["fold"] == "1"][:: 800 // N_CLIPS]
    for number, row in enumerate(found):
        row["recorded_at"] = f"2024-05-01T{(8, 21, 23)[number % 3]:02d}:15:00"
    return found[: N_CLIPS + 6]


@pytest.fixture
def import_rows(earmark, shared, tmp_path):
    def run(project_id, rows):
        path = tmp_path / "clips.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=rows[0])
            writer.writeheader()
            writer.writerows(rows)
        root = shared / "data" / "us8k_dev"
        earmark.tell("import", path, "--root", root, "--project", str(project_id))

    return run


def test_what_is_asked_for_is_served_first_also_if_it_comes_later(
    earmark, title, import_rows, rows
):
    project_id = earmark.tell("setup", "--title", title, "--labels", "siren,other")["project_id"]
    project = ("--project", str(project_id))
    import_rows(project_id, rows[:N_CLIPS])
    earmark.wait_for_order(project_id, N_CLIPS)
    n_labeled = 0

    def answer_next():
        nonlocal n_labeled
        task = next_task(earmark.label_studio, project_id)
        label = "siren" if task["data"]["clip"].split("-")[1] == "8" else "other"
        earmark.label_studio.annotate(task["id"], chosen(label))
        n_labeled += 1
        earmark.wait_for_labels(project_id, n_labeled)
        return is_wanted(task)

    before = earmark.model_version(project_id)
    asked = earmark.tell("queue", *project, "--where", CONDITION)
    tasks = earmark.label_studio.tasks(project_id)
    n_wanted = sum(is_wanted(task) for task in tasks)
    assert asked["n"] == asked["n_left"] == n_wanted
    assert 3 <= n_wanted <= N_CLIPS - 3
    earmark.wait_for(project_id, lambda status: status["model_version"] != before)
    earmark.wait_for_labels(project_id, 0)

    assert [answer_next() for _ in range(n_wanted + 2)] == [True] * n_wanted + [False] * 2
    told = earmark.tell("queue", *project)
    assert (told["n"], told["n_labeled"], told["n_left"]) == (n_wanted, n_wanted, 0)

    import_rows(project_id, rows)
    n_open = len(rows) - n_labeled
    earmark.wait_for(project_id, lambda status: status["n_ranked"] == n_open)
    earmark.wait_for_labels(project_id, n_labeled)
    n_new = earmark.tell("queue", *project)["n_left"]
    assert n_new == sum(is_wanted({"data": {**row, "salience": int(row["salience"])}})
                        for row in rows[N_CLIPS:])  # fmt: skip
    assert [answer_next() for _ in range(n_new + 1)] == [True] * n_new + [False]
    earmark.tell("queue", *project, "--clear")
    assert earmark.tell("queue", *project)["where"] is None
