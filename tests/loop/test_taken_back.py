"""Labels are taken back, changed, or read anew: the figures shown are those of the labels there."""

import numpy as np
import pytest

from tests.progressing import Project
from tests.web.test_progress import check_form, told, visit

pytestmark = pytest.mark.slow


@pytest.fixture
def street(tmp_path):
    """Forty labels, looked at twice."""
    project = Project(tmp_path)
    for _ in range(2):
        project.label(20)
    return project


def take_back(project, n_labels):
    """Delete the last annotations, as an undo does."""
    for number in list(project.studio.annotations)[-n_labels:]:
        project.studio.take_back(number)
    project.n_labeled -= n_labels
    return project.round()


def check_truth(project):
    """Compare what is shown with the labels that are there."""
    page, facts = visit(project), told(project)
    check_form(page)
    accuracy = facts["accuracy"]
    labels = {one["task"]: one for one in project.studio.annotations.values()}
    assert facts["n_labeled"] == len(labels)
    assert all(one["n_labeled"] <= len(labels) for one in accuracy["curve"])
    (current,) = (one for one in facts["versions"] if one["is_current"])
    assert current["model_version"] == facts["model_version"]
    dots = [one for one in page.all("g") if "svg" in one["within"]]
    assert len(dots) == len(accuracy["curve"]) + len(accuracy["history"])
    assert sum(one.get("class") == "history" for one in dots) == len(accuracy["history"])
    for cell in (facts["confusion"] or {"wrong": [], "right": []}).values():
        for one in cell if isinstance(cell, list) else []:
            for task_id in one.get("task_ids", ()) if isinstance(one, dict) else ():
                assert labels[task_id]["result"][0]["value"]["choices"] == [one["label"]]
    return page, facts


def test_figures_of_labels_that_were_undone_are_history(street):
    before = told(street)
    street.label(70)
    assert told(street)["accuracy"]["curve"][-1]["n_labeled"] == 110
    take_back(street, 70)
    page, facts = check_truth(street)
    accuracy = facts["accuracy"]
    assert [one["n_labeled"] for one in accuracy["curve"]] == [20, 40]
    assert [one["n_labeled"] for one in accuracy["history"]] == [110]
    assert accuracy["model_version"] == facts["model_version"] == before["model_version"]
    assert accuracy["cross_validated"] == before["accuracy"]["cross_validated"]
    assert facts["confusion"] == before["confusion"]
    assert "of labels deleted or changed since" in page.source
    versions = page.section("versions")
    assert "History: measured with labels that were deleted or changed since" in versions
    assert versions.count("history") == 1


def test_labels_that_come_again_are_measured_again(street):
    street.label(40)
    take_back(street, 40)
    street.label(40)
    accuracy = check_truth(street)[1]["accuracy"]
    assert [one["n_labeled"] for one in accuracy["curve"]] == [20, 40, 80]
    assert accuracy["n_labeled"] == 80


@pytest.mark.parametrize("n_left", [0, 1, 3])
def test_where_hardly_a_label_is_left_no_figure_is_claimed(street, n_left):
    street.n_labeled = 40
    take_back(street, 40 - n_left)
    page, facts = check_truth(street)
    accuracy = facts["accuracy"]
    assert accuracy["cross_validated"] is None
    assert facts["confusion"] is None
    assert facts["suspects"] == []
    assert [one["n_labeled"] for one in accuracy["history"]] == [20, 40]
    assert not accuracy["stopping"]["is_reached"]
    assert "Nothing to compare yet" in page.section("confusion")


def test_a_corrected_label_is_in_doubt_no_longer_and_leaves_the_curve_alone(street):
    suspect = told(street)["suspects"][0]
    (annotation,) = (
        one for one in street.studio.annotations.values() if one["task"] == suspect["task_id"]
    )
    street.studio.change(annotation["id"], choices=suspect["predicted"])
    street.round()
    facts = check_truth(street)[1]
    assert suspect["task_id"] not in [one["task_id"] for one in facts["suspects"]]
    assert [one["n_labeled"] for one in facts["accuracy"]["curve"]] == [20, 40]
    assert facts["accuracy"]["model_version"] == facts["model_version"]


def test_a_bulk_label_that_is_wrong_and_changed_leaves_no_figure_of_it(street):
    numbers = list(street.studio.annotations)[-15:]
    for number in numbers:
        (choices,) = street.studio.annotations[number]["result"][0]["value"]["choices"]
        street.studio.change(number, choices=["other" if choices == "siren" else "siren"])
    street.round()
    accuracy = check_truth(street)[1]["accuracy"]
    assert [one["n_labeled"] for one in accuracy["curve"]] == [20, 40]
    assert [one["n_labeled"] for one in accuracy["history"]] == [40]


def test_figures_of_another_question_are_history(street):
    config = street.studio.projects[street.project_id]
    config["label_config"] = config["label_config"].replace("other", "quiet")
    street.round()
    page, facts = visit(street), told(street)
    check_form(page)
    assert facts["confusion"] is None
    assert facts["accuracy"]["curve"] == []
    assert len(facts["accuracy"]["history"]) == 2
    assert "quiet 0" in page.section("classes")
    assert [one["is_current"] for one in facts["versions"]].count(True) == 1
    config["label_config"] = config["label_config"].replace("quiet", "other")
    street.round()
    assert check_truth(street)[1]["accuracy"]["curve"][-1]["n_labeled"] == 40


def test_embeddings_of_another_embedder_have_figures_of_their_own(street):
    street.store.facts.write("embedder", {"embedder_id": "another", "warning": None})
    accuracy = told(street)["accuracy"]
    assert accuracy["curve"] == []
    assert len(accuracy["history"]) == 2


def test_the_page_tells_which_classes_no_figure_speaks_of(tmp_path):
    project = Project(tmp_path, ("siren", "dog", "rain"))
    rain = [row for row in range(120) if project.kinds[row] == 2]
    for row in [one for one in range(60) if project.kinds[one] < 2]:
        project.studio.annotate(project.task_ids[row], project.names[project.kinds[row]])
    project.studio.annotate(project.task_ids[rain[0]], "rain")
    project.round()
    page, facts = visit(project), told(project)
    check_form(page)
    assert facts["accuracy"]["cross_validated"]["left_out"] == ["rain"]
    assert facts["accuracy"]["curve"][-1]["left_out"] == ["rain"]
    assert "without rain" in page.section("quality")
    assert "Hollow dots" in page.section("quality")
    assert "in too few recordings to be judged" in page.section("quality")
    assert np.sum(facts["confusion"]["counts"][2]) == 0
    for name, figure in facts["accuracy"]["cross_validated"]["per_class"].items():
        assert f"n = {figure['n']}" in page.section("classes"), name
