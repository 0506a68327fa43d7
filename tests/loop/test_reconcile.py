"""A round: what it asks of Label Studio, and when annotators follow it."""

from collections import Counter

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.loop import publish, reconcile
from ml_backend.loop.echoes import LISTENED_S
from ml_backend.store.queue import Wanted
from tests.street import HEAD, N_CLIPS


def asked(street):
    """Tell what was asked since the last time, without the project's number."""
    told = [
        (method, path.replace(f"/{street.project_id}", "/N"))
        for method, path in street.studio.calls
    ]
    street.studio.calls.clear()
    return told


def annotate(street, task_id, label):
    street.studio.annotate(task_id, label)
    street.hint(single=True)
    street.round()


def test_a_label_costs_three_calls(street):
    street.label(street.task_ids[0], "siren")
    asked(street)
    annotate(street, street.task_ids[1], "other")
    assert asked(street) == [
        ("GET", "/api/tasks"),
        ("POST", "/api/projects/N/import/predictions"),
        ("PATCH", "/api/projects/N"),
    ]


def test_the_echo_of_a_version_made_current_is_asked_nothing(street):
    street.now += LISTENED_S
    street.label(street.task_ids[0], "siren")
    asked(street)
    street.hint(labels=False)
    street.round()
    assert asked(street) == []
    street.hint(labels=False)
    street.round()
    assert asked(street) == [("GET", "/api/projects/N")]


def test_what_is_heard_of_settings_later_is_no_echo(street):
    street.label(street.task_ids[0], "siren")
    asked(street)
    street.now += LISTENED_S
    street.hint(labels=False)
    street.round()
    assert asked(street) == [("GET", "/api/projects/N")]


def test_the_rest_of_the_head_is_left_to_a_round_that_waits(street, monkeypatch):
    monkeypatch.setattr(publish, "FIRST", 4)
    street.label(street.task_ids[0], "siren")
    answer = street.studio._answer

    def answer_and_hear(request):
        if request.method == "PATCH":
            street.hint(single=True)
        return answer(request)

    asked(street)
    monkeypatch.setattr(street.studio, "_answer", answer_and_hear)
    street.restart()
    annotate(street, street.task_ids[1], "other")
    assert [path for method, path in asked(street) if method == "POST"] == [
        "/api/projects/N/import/predictions"
    ]
    assert street.progress.n_published == 4
    assert street.studio.queue(street.project_id)[:4] == street.head[:4]


def test_a_label_that_comes_while_the_head_is_handed_over_waits_for_one_piece(street, monkeypatch):
    monkeypatch.setattr(publish, "FIRST", 4)
    monkeypatch.setattr(publish, "PIECE", 2)
    street.label(street.task_ids[0], "siren")
    answer = street.studio._answer
    n_handed_over = 0

    def answer_and_hint(request):
        nonlocal n_handed_over
        if request.url.path.endswith("/import/predictions"):
            n_handed_over += 1
            if n_handed_over == 2:
                street.hint(single=True)
        return answer(request)

    monkeypatch.setattr(street.studio, "_answer", answer_and_hint)
    street.restart()
    annotate(street, street.task_ids[1], "other")
    assert (n_handed_over, street.progress.n_published) == (2, 6)
    assert street.studio.queue(street.project_id)[:6] == street.head[:6]
    annotate(street, street.task_ids[2], "other")
    assert street.progress.n_published == HEAD


@pytest.fixture
def in_two_steps(street, monkeypatch):
    """Rounds that hand 4 clips over before the rest of the head is ranked."""
    for module in (publish, reconcile):
        monkeypatch.setattr(module, "FIRST", 4)
    for number in range(14):
        street.label(street.task_ids[number], "siren" if number % 3 else "other")
    return street


def test_predictions_have_the_ranks_of_the_order_that_is_kept(in_two_steps):
    street = in_two_steps
    ranked = sorted(street.current, key=lambda one: one["score"])
    assert [one["task"] for one in ranked][:HEAD] == street.head
    assert max(Counter(one["task"] for one in street.current).values()) == 1
    assert len(set(street.order)) == len(street.order) == N_CLIPS - 14


def test_who_shows_the_order_is_told_that_it_was_ranked_further(in_two_steps, monkeypatch):
    street = in_two_steps
    stamps = []
    keep = street.store.versions.set_order

    def note(project_id, *others):
        stamps.append(street.store.facts.stamp("order", project_id))
        keep(project_id, *others)
        stamps.append(street.store.facts.stamp("order", project_id))

    monkeypatch.setattr(street.store.versions, "set_order", note)
    street.label(street.task_ids[20], "other")
    assert len(set(stamps)) == 2


def test_settings_are_read_when_they_were_heard_to_have_changed(street):
    street.label(street.task_ids[0], "siren")
    asked(street)
    street.now += LISTENED_S
    street.hint(labels=False)
    street.hint(single=True)
    street.round()
    assert ("GET", "/api/projects/N") in asked(street)


def test_what_no_event_told_of_is_found_by_the_next_hint_that_tells_of_no_single_annotation(street):
    number = street.label(street.task_ids[0], "siren")
    street.label(street.task_ids[1], "other")
    del street.studio.annotations[number]  # and nothing says so
    street.studio.projects[street.project_id]["maximum_annotations"] = 2
    street.hint(single=True)
    street.round()
    assert len(street.store.labels.read(street.project_id)) == 2
    asked(street)
    street.hint()
    street.round()
    assert len(street.store.labels.read(street.project_id)) == 1
    assert ("GET", "/api/projects/N") in asked(street)


def test_for_a_round_of_its_own_accord_no_annotation_is_read_anew(street):
    street.label(street.task_ids[0], "siren")
    asked(street)
    street.store.queue.ask(street.project_id, Wanted(None, (street.task_ids[-1],), "", 1.0))
    street.hint(own=True)
    street.round()
    assert asked(street) == [
        ("GET", "/api/tasks"),
        ("POST", "/api/projects/N/import/predictions"),
        ("PATCH", "/api/projects/N"),
    ]
    assert street.head[0] == street.task_ids[-1]


def test_a_version_is_current_when_its_first_clips_are_published(street, monkeypatch):
    monkeypatch.setattr(publish, "FIRST", 4)
    street.label(street.task_ids[0], "siren")
    asked(street)
    street.label(street.task_ids[1], "other")
    published = [path for method, path in asked(street) if method in ("POST", "PATCH")]
    assert published == [
        "/api/projects/N/import/predictions",
        "/api/projects/N",
        "/api/projects/N/import/predictions",
    ]
    assert street.progress.n_published == HEAD
    assert street.studio.queue(street.project_id)[:HEAD] == street.head
    assert max(Counter(one["task"] for one in street.current).values()) == 1


def test_a_round_that_ends_between_the_two_is_made_up_for(street, monkeypatch):
    monkeypatch.setattr(publish, "FIRST", 4)
    street.studio.annotate(street.task_ids[0], "siren")
    answer = street.studio._answer

    def fail_after_the_version(request):
        is_current = (
            street.store.versions.progress(street.project_id).model_version == street.version
        )
        if request.url.path.endswith("/predictions") and is_current:
            street.studio.is_broken = True
        return answer(request)

    monkeypatch.setattr(street.studio, "_answer", fail_after_the_version)
    street.restart()
    street.hint()
    with pytest.raises(LabelStudioError):
        street.round()
    street.studio.is_broken = False
    monkeypatch.setattr(street.studio, "_answer", answer)
    street.restart()
    street.now += 60.0
    street.round()
    street.now += street.settings.quiet_s
    street.go_on_to_the_end()
    assert sorted(one["task"] for one in street.current) == sorted(street.task_ids)
