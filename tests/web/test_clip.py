import pytest

from ml_backend.label_studio import LabelStudio, user_names
from tests.fake_label_studio import TOKEN
from tests.seeing import EMBEDDER, SeenProject
from tests.visiting import OTHER_TOKEN


def told(project, row, client=None):
    address = f"/projects/{project.project_id}/clips/{project.task_ids[row]}"
    if client is None:
        return project.get(f"clips/{project.task_ids[row]}").json
    for _ in range(200):
        answer = client.get(address)
        if answer.status_code != 202:
            return answer.json
    raise AssertionError("still being made")


@pytest.fixture
def project(tmp_path):
    data = [
        {"clip": f"<i>{row}</i>.wav", "recording_id": "r", "duration_s": 1.5, "salience": row,
         "note": "<b>x</b>" if row else None}
        for row in range(12)
    ]  # fmt: skip
    made = SeenProject(tmp_path, n=12, data=data)
    made.follow()
    return made


def test_before_a_classifier_a_clip_is_what_its_task_says(project):
    found = told(project, 0)
    assert found["task_id"] == project.task_ids[0]
    assert (found["clip"], found["recording"], found["duration_s"]) == ("<i>0</i>.wav", "r", 1.5)
    assert found["metadata"] == [
        {"name": "duration_s", "value": 1.5},
        {"name": "salience", "value": 0},
    ]
    assert {"name": "note", "value": "<b>x</b>"} in told(project, 1)["metadata"]
    assert (found["labels"], found["annotations"]) == ([], [])
    assert (found["probabilities"], found["entropy"], found["coverage"]) == ({}, None, 1.0)
    assert found["rank"] in range(1, 13)
    assert found["why"] == "No classifier knows it yet."
    address = f"http://studio.test/projects/{project.project_id}/data?task={project.task_ids[0]}"
    assert found["label_studio_url"] == address


def test_after_a_round_it_says_what_the_classifier_makes_of_it(project):
    for row in range(6):
        project.label(row)
    project.follow()
    found = told(project, 7)
    assert set(found["probabilities"]) == {"siren", "other"}
    assert sum(found["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert found["probabilities"][project.truth[7]] > 0.5
    assert found["entropy"] == pytest.approx(project.column("entropy")[7], abs=1e-3)
    assert found["disagreement"] == pytest.approx(project.column("disagreement")[7], abs=1e-3)
    assert project.truth[7] in found["why"]
    labeled = told(project, 2)
    assert labeled["labels"] == [project.truth[2]]
    assert (labeled["coverage"], labeled["rank"]) == (0.0, None)
    assert labeled["why"] == "Labeled: it is not asked about again."


def test_a_visitor_is_told_who_said_what(project):
    project.label(0)
    project.label(0, "other", by=2)
    project.label(1, skipped=True, by=2)
    project.follow()
    ada, bob = project.place.browser(TOKEN), project.place.browser(OTHER_TOKEN)
    usable = {"kind": "labels", "problems": []}
    both = told(project, 0, ada)["annotations"]
    assert sorted(both, key=lambda one: one["by"]) == [
        {"by": "first@studio.test", "labels": [project.truth[0]], "is_mine": True} | usable,
        {"by": "user2@studio.test", "labels": ["other"], "is_mine": False} | usable,
    ]
    assert [one["is_mine"] for one in told(project, 0, bob)["annotations"]] in (
        [True, False],
        [False, True],
    )
    (skip,) = told(project, 1, bob)["annotations"]
    assert skip == {"by": "bob@studio.test", "labels": None, "is_mine": True} | {
        "kind": "skipped",
        "problems": [],
    }
    assert told(project, 1)["why"] == "Skipped by annotators: it is not asked about again."
    assert told(project, 1, ada)["why"].startswith("Skipped by user2@studio.test: ")


def test_every_state_is_told_as_what_it_is(project):
    project.studio.annotate(project.task_ids[0], by=2)
    project.studio.annotate(project.task_ids[1], "siren", by=2, control="mood")
    project.store.clips.add_failed(EMBEDDER, project.keys[2], "it is silent.", now=1.0)
    project.follow()
    ada = project.place.browser(TOKEN)
    empty, strange, failed = (told(project, row, ada) for row in range(3))
    assert [one["state"] for one in (empty, strange, failed)] == [
        "no_label",
        "unreadable",
        "failed",
    ]
    assert empty["why"].startswith("Submitted without a label by user2@studio.test: ")
    assert [one["kind"] for one in empty["annotations"]] == ["no_label"]
    assert strange["why"].startswith("Earmark cannot read the annotation by user2@studio.test: ")
    assert strange["annotations"][0]["problems"] == ["uses the control 'mood'"]
    assert failed["why"].endswith("it is silent.")
    assert "do not agree" not in "".join(one["why"] for one in (empty, strange, failed))


def test_a_tie_teaches_nothing(project):
    project.label(0, "siren")
    project.label(0, "other", by=2)
    project.follow()
    assert "do not agree" in told(project, 0)["why"]


def test_where_label_studio_is_silent_what_was_last_read_is_told(project):
    project.label(0)
    project.follow()
    ada = project.place.browser(TOKEN)
    told(project, 0, ada)
    project.studio.breaks_at = f"/api/tasks/{project.task_ids[0]}/"
    (found,) = told(project, 0, ada)["annotations"]
    assert (found["by"], found["labels"]) == ("annotators", [project.truth[0]])


def test_with_the_secret_alone_nobody_is_named(project):
    project.label(0)
    project.follow()
    (found,) = told(project, 0)["annotations"]
    assert found["by"] == "annotators"


def test_a_clip_that_there_is_not_is_not_found(project):
    for task in ("99999", str(2**70)):
        assert project.get(f"clips/{task}").status_code == 404


def test_an_annotator_whom_nobody_lists_is_asked_about_now_and_then(project, monkeypatch):
    n_asked = []
    monkeypatch.setattr(LabelStudio, "users", lambda studio: n_asked.append(1) or [])
    client = project.place.browser(TOKEN)
    project.label(0, by=9)
    project.follow()
    n_asked.clear()  # the round asked, too
    for _ in range(3):
        assert [one["by"] for one in told(project, 0, client)["annotations"]] == ["annotator 9"]
    assert len(n_asked) == 1
    monkeypatch.setattr(user_names, "ASK_AGAIN_S", 0.0)
    told(project, 0, client)
    assert len(n_asked) == 2
