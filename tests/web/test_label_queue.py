"""Which clips "Label and go on" gives: those of the current order, and to each person others."""

import itertools

import pytest

from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.store.queue import Wanted
from ml_backend.web.api.label_queue import N_AHEAD
from ml_backend.web.labeling.leases import LEASE_S, N_LOCKED, Leases
from tests.fake_label_studio import TOKEN
from tests.seeing import SeenProject
from tests.visiting import BASIC, OTHER_TOKEN, csrf

ADA, BOB = 1, 2
N_CLIPS = 40


class Asked:
    """A seen project, and pages of two people that ask what is next."""

    def __init__(self, folder, **how):
        self.seen = SeenProject(folder, N_CLIPS, **how)
        self.project_id, self.studio = self.seen.project_id, self.seen.studio
        self.project = self.studio.projects[self.project_id]
        self.store = self.seen.store
        self.clients = {who: self.seen.place.browser(who) for who in (TOKEN, OTHER_TOKEN)}
        self.csrf = {who: csrf(client) for who, client in self.clients.items()}

    def ask(self, who=TOKEN, tab="a", ahead=(), mine=(), version=None, status=200):
        body = {"tab": tab, "ahead": list(ahead), "mine": list(mine), "model_version": version}
        path = f"/projects/{self.project_id}/label/next"
        answer = self.clients[who].post(path, json=body, headers=self.csrf[who])
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    def order(self):
        ranking = self.store.versions.current(self.project_id).ranking
        return ranking["task_ids"].tolist()

    def count_calls(self):
        return sum(path == "/api/tasks" for _, path in self.studio.calls)


@pytest.fixture
def asked(tmp_path):
    made = Asked(tmp_path)
    made.seen.follow()
    yield made
    made.seen.store.close()


def test_the_clips_are_the_head_of_the_order_that_label_studio_follows(asked):
    told = asked.ask()
    assert (
        told["clips"] == asked.order()[:N_AHEAD] == asked.studio.queue(asked.project_id)[:N_AHEAD]
    )
    assert told["n_left"] == N_CLIPS
    assert (told["class_names"], told["hotkeys"]) == (["siren", "other"], ["1", "2"])
    assert (told["multi_label"], told["is_blind"]) == (False, False)


def test_before_there_is_an_order_there_is_nothing_to_label(tmp_path):
    asked = Asked(tmp_path, is_embedded=False)
    told = asked.ask()
    assert (told["clips"], told["model_version"]) == ([], None)


def test_what_others_answer_is_left_out_at_once_and_what_was_deleted_too(asked):
    first, second, third = asked.order()[:3]
    asked.studio.annotate(first, "siren", by=BOB)
    asked.studio.annotate(second, by=BOB, skipped=True)
    del asked.studio.tasks[third]
    assert asked.ask()["clips"] == asked.order()[3 : 3 + N_AHEAD]


def test_the_clip_that_is_shown_and_unsent_answers_are_not_given_again(asked):
    order = asked.order()
    assert asked.ask(mine=order[:3])["clips"] == order[3 : 3 + N_AHEAD]


def test_where_two_answers_are_wanted_everybody_gets_what_others_have_begun_first(asked):
    asked.project["maximum_annotations"] = 2
    begun = asked.seen.task_ids[:3]
    for task_id in begun:
        asked.studio.annotate(task_id, "siren", by=BOB)
    asked.seen.follow()
    asked.clients[TOKEN] = asked.seen.place.browser(TOKEN)  # who sees the project's new settings
    asked.csrf[TOKEN] = csrf(asked.clients[TOKEN])
    assert sorted(asked.ask(TOKEN)["clips"][:3]) == begun
    for_bob = asked.ask(OTHER_TOKEN)["clips"]
    assert len(for_bob) == N_AHEAD
    assert not set(for_bob) & set(begun)


def test_somebody_who_has_answered_hundreds_still_finds_what_is_left(tmp_path):
    asked = Asked(tmp_path)
    asked.project["maximum_annotations"] = 2
    for task_id in asked.seen.task_ids[:-1]:
        asked.studio.annotate(task_id, "siren", by=ADA)
    asked.seen.follow()
    assert asked.ask(TOKEN)["clips"] == [asked.seen.task_ids[-1]]


def test_two_people_and_two_pages_of_one_person_never_hold_the_same_clip(asked):
    pages = [(TOKEN, "a"), (OTHER_TOKEN, "b"), (TOKEN, "c")]
    given = [asked.ask(who, tab)["clips"] for who, tab in pages]
    assert [len(clips) for clips in given] == [N_AHEAD] * 3
    assert sorted(one for clips in given for one in clips) == sorted(asked.order()[: 3 * N_AHEAD])


def test_what_somebody_has_open_in_label_studio_is_left_out_and_what_comes_next_is_locked(asked):
    first, second, third, fourth, *_ = asked.order()
    asked.studio.locks = {first: {BOB}, third: {BOB}}
    clips = asked.ask()["clips"]
    assert clips == [second, *asked.order()[3:N_AHEAD]]
    assert asked.studio.locks == {first: {BOB}, second: {ADA}, third: {BOB}, fourth: {ADA}}


def test_each_clip_is_locked_once_in_its_turn(asked):
    def n_locks():
        return asked.studio.calls.count(("POST", "/api/dm/actions"))

    told = asked.ask()
    shown, *ahead = told["clips"]
    for n in (2, 3, 3):
        assert n_locks() == n
        told = asked.ask(ahead=ahead, mine=[shown], version=told["model_version"])
        assert told["clips"] == ahead
    asked.ask(ahead=ahead[1:], mine=ahead[:1], version=told["model_version"])
    assert {one for one, who in asked.studio.locks.items() if who == {ADA}} == {shown, *ahead[:3]}


def test_a_label_studio_that_is_too_busy_to_lock_stops_nobody(asked):
    asked.studio.breaks_at = "/api/dm/actions"
    assert asked.ask()["clips"] == asked.order()[:N_AHEAD]


def test_what_a_page_no_longer_holds_is_free_for_others(asked):
    first = asked.ask(TOKEN, "a")["clips"]
    assert asked.ask(OTHER_TOKEN, "b")["clips"][0] == asked.order()[N_AHEAD]
    version = asked.ask(TOKEN, "a", ahead=first[:4], version="another")["model_version"]
    assert asked.ask(TOKEN, "a", ahead=first[:4], version=version)["clips"] == first[:4]
    given = asked.ask(OTHER_TOKEN, "b", ahead=[asked.order()[N_AHEAD]])["clips"]
    assert given[1:5] == first[4:]


def test_a_page_that_is_left_holds_nothing_but_what_label_studio_has_locked(asked):
    first = asked.ask(TOKEN, "a")["clips"]
    leave = f"/projects/{asked.project_id}/label/next/a"
    for who in (OTHER_TOKEN, TOKEN):  # the first of them says nothing of the other's page
        assert asked.ask(OTHER_TOKEN, "b")["clips"] == asked.order()[N_AHEAD : 2 * N_AHEAD]
        assert asked.clients[who].delete(leave, headers=asked.csrf[who]).status_code == 204
    assert asked.ask(OTHER_TOKEN, "b")["clips"] == first[N_LOCKED:]
    assert asked.ask(TOKEN, "c")["clips"][:N_LOCKED] == first[:N_LOCKED]


def test_leases_end_when_a_page_asks_no_more():
    now = itertools.count(0.0, 0.6 * LEASE_S)
    leases = Leases(clock=lambda: next(now))
    assert leases.hold(1, (ADA, "a"), [], [5, 6], n=2) == [5, 6]
    assert leases.hold(1, (BOB, "b"), [], [5, 6, 7], n=2) == [7]
    assert leases.hold(2, (BOB, "b"), [], [5], n=2) == [5], "another project's"
    assert leases.hold(1, (BOB, "b"), [], [5, 6, 7], n=3) == [5, 6, 7]


def test_after_a_round_the_next_clip_stays_and_the_rest_follows_the_new_order(asked):
    shown, *ahead = asked.ask()["clips"]
    version = asked.ask(ahead=ahead, mine=[shown])["model_version"]
    asked.studio.annotate(shown, "siren", by=ADA)
    asked.studio.annotate(asked.order()[20], "other", by=BOB)
    asked.seen.follow()
    told = asked.ask(ahead=ahead[1:], mine=ahead[:1], version=version)
    assert told["model_version"] != version
    rest = [one for one in asked.order() if one not in ahead[:2]]
    assert told["clips"] == [ahead[1], *rest[: N_AHEAD - 1]]


def test_as_long_as_the_order_stands_label_studio_is_not_asked(asked):
    first = asked.ask()
    n_calls = asked.count_calls()
    for n in (7, 5, 4):
        kept = first["clips"][:n]
        told = asked.ask(ahead=kept, version=first["model_version"])
        assert told["clips"] == kept
    assert asked.count_calls() == n_calls
    told = asked.ask(ahead=first["clips"][:3], version=first["model_version"])
    assert told["clips"] == first["clips"], "filled up"
    assert asked.count_calls() == n_calls + 1


def test_what_people_asked_for_comes_first(asked):
    wanted = tuple(sorted(asked.order()[-3:]))
    asked.store.queue.ask(asked.project_id, Wanted(None, wanted, "", 1.0))
    asked.seen.follow()
    assert sorted(asked.ask()["clips"][:3]) == list(wanted)


def test_a_blind_project_says_so(asked):
    asked.project["show_collab_predictions"] = False
    assert asked.ask()["is_blind"]


def test_where_regions_are_asked_for_pages_say_where_to_label(asked):
    config = label_config_xml(("siren", "other"), multi_label=False)
    asked.project["label_config"] = config.replace("Choice", "Label").replace(
        'choice="single-radio"', ""
    )
    assert "Label Studio" in asked.ask(status=400)["error"]


def test_nobody_labels_with_the_secret_alone(asked):
    path = f"/projects/{asked.project_id}/label/next"
    client = asked.seen.place.app.test_client()
    assert client.post(path, json={"tab": "a"}, auth=BASIC).status_code == 403


@pytest.mark.parametrize("body", [{}, {"tab": ""}, {"tab": 3}, {"tab": "a", "ahead": ["x"]}])
def test_what_is_no_page_is_refused(asked, body):
    path = f"/projects/{asked.project_id}/label/next"
    answer = asked.clients[TOKEN].post(path, json=body, headers=asked.csrf[TOKEN])
    assert answer.status_code == 400


def test_a_silent_label_studio_is_said_and_gives_no_clips(asked):
    asked.ask()
    asked.studio.breaks_at = "/api/tasks"
    assert asked.ask(status=502)["error"]
