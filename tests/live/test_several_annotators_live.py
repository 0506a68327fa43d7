"""Several annotators beside a real Label Studio, two of whom are wanted for each clip."""

import csv

import pytest

from benchmarks.served import join
from importer.demo.streets import make_street_set
from ml_backend.label_studio import LabelStudio
from tests.live.served import Earmark

pytestmark = pytest.mark.live

N_CLIPS, HEAD = 60, 10


class Street:
    """A project of which each clip is put to two annotators."""

    def __init__(self, earmark, project_id, table):
        self.earmark, self.project_id = earmark, project_id
        earmark.label_studio.update_project(project_id, maximum_annotations=2)
        listed = earmark.label_studio.tasks(project_id)
        self.truth = {
            task["id"]: "siren" if table[task["data"]["clip"]]["label"] == "siren" else "other"
            for task in listed
        }

    def served(self, annotator):
        return annotator.next_task(self.project_id)

    def answer(self, annotator, task_id, name=None):
        value = {"choices": [name or self.truth[task_id]]}
        said = {"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}
        annotator.annotate(task_id, [said])


@pytest.fixture(scope="module")
def third(studio):
    return LabelStudio(studio.url, join(studio, "third@earmark.local"))


@pytest.fixture
def street(studio, title, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    path = make_street_set(folder / "street", n_clips=N_CLIPS)
    with path.open(encoding="utf-8") as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    environment = {"EARMARK_EMBEDDER": "melstats", "EARMARK_HEAD_SIZE": str(HEAD)}
    with Earmark(studio, folder, **environment, EARMARK_QUIET_S="3600") as earmark:
        project_id = earmark.set_up(title, path, n_clips=N_CLIPS)
        yield Street(earmark, project_id, table)


def test_who_is_ahead_gets_ranked_clips_who_is_behind_those_that_were_begun_and_ties_a_third(
    street, second_annotator, third
):
    ada, bob = street.earmark.label_studio, second_annotator
    begun = []
    for n_labeled in range(1, 2 * HEAD + 6):
        task = street.served(ada)
        begun.append(task["id"])
        version = street.earmark.model_version(street.project_id)
        assert [one["model_version"] for one in task["predictions"]] == [version]
        street.answer(ada, task["id"])
        street.earmark.wait_for_labels(street.project_id, n_labeled)
    assert len(set(begun)) == len(begun)
    task = street.served(bob)
    assert task["id"] in begun
    wrong = {"siren": "other", "other": "siren"}[street.truth[task["id"]]]
    street.answer(bob, task["id"], wrong)
    street.earmark.wait_for(
        street.project_id, lambda one: one["states"]["tied"] == 1 and not one["is_waiting"]
    )
    for_third = street.served(third)
    assert (for_third["id"], for_third["predictions"]) == (task["id"], [])
    assert street.served(ada)["id"] not in begun
    assert street.served(bob)["id"] != task["id"]
    street.answer(third, task["id"])
    street.earmark.wait_for_labels(street.project_id, len(begun))


def test_a_task_is_taken_by_as_many_as_the_project_wants(street, second_annotator, third):
    ada, bob = street.earmark.label_studio, second_annotator
    project_id, task_id = street.project_id, next(iter(street.truth))
    assert [one.data_manager.take(project_id, task_id) for one in (ada, bob, third)] == [
        True, True, False,
    ]  # fmt: skip
    assert ada.data_manager.take(project_id, task_id), "hers already"
    assert street.served(ada)["id"] == task_id
    street.answer(ada, task_id)
    assert not ada.data_manager.take(project_id, task_id), "answered"
