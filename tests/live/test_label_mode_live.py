"""Label and go on beside a real Label Studio: keys become annotations, in the queue's order."""

import csv
import json
import time

import pytest

from importer.demo.streets import make_street_set
from tests.browsing import until
from tests.live.served import Earmark

pytestmark = [pytest.mark.live, pytest.mark.browser]

N_CLIPS = 60
N_LABELS = 20
PATIENCE_S = 120
KEYS = {"siren": "1", "other": "2"}


class Street:
    """A project of a street's clips, whose truth is known."""

    def __init__(self, earmark, project_id, table):
        self.earmark, self.project_id = earmark, project_id
        self.path = f"{earmark.settings.backend_url}/projects/{project_id}"
        listed = earmark.label_studio.tasks(project_id)
        self.clips = {task["id"]: task["data"]["clip"] for task in listed}
        self.truth = {clip: table[clip]["label"] for clip in self.clips.values()}

    def said(self, task_id):
        """Give who said what of a task: every annotation, the same person's too."""
        return [
            (one["completed_by"], one["result"][0]["value"]["choices"])
            for one in self.earmark.label_studio.annotations(task_id)
        ]


@pytest.fixture(scope="module")
def street(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labeling")
    path = make_street_set(folder / "street", n_clips=N_CLIPS)
    with path.open(encoding="utf-8") as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats", EARMARK_QUIET_S="3600") as earmark:
        project_id = earmark.set_up("One after the other", path, n_clips=N_CLIPS)
        yield Street(earmark, project_id, table)


class Labeler:
    """Somebody on the page for labeling, with what the page was told."""

    def __init__(self, browser, street, token):
        self.street, self.heard, self.told = street, [], []
        self.page = browser.new_context().new_page()
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{street.path}/label")
        self.page.fill("input[name=token]", token)
        self.page.click("main button[type=submit]")
        self.page.on("requestfinished", self._note)
        self.page.wait_for_url("**/label")
        self.page.wait_for_selector("body[data-ready=yes]")

    def _note(self, request):
        if request.url.endswith("/label/next"):
            asked, answer = json.loads(request.post_data), request.response().json()
            self.told.append((asked, answer, len(self.heard)))

    def clip(self):
        """Wait until the clip is known by its name."""
        name = "document.querySelector('.clip-name').textContent"
        until(self.page, f"clips => clips.includes({name})", [*self.street.truth], PATIENCE_S)
        return self.page.evaluate(name)

    def label(self):
        """Press the key of the true class, and wait for the next clip."""
        clip = self.clip()
        self.heard.append(clip)
        self.page.keyboard.press(KEYS["siren" if self.street.truth[clip] == "siren" else "other"])
        changed = "clip => document.querySelector('.clip-name').textContent !== clip"
        until(self.page, changed, clip, PATIENCE_S)

    def leave(self):
        assert self.complaints == []
        self.page.goto("about:blank")  # and say so
        self.page.wait_for_timeout(500)
        self.page.context.close()

    def wait_sent(self):
        until(self.page, "document.body.dataset.waiting === '0'", timeout_s=PATIENCE_S)


def test_twenty_keys_are_twenty_annotations_in_the_queues_order_across_rounds(street, browser):
    earmark, studio = street.earmark, street.earmark.studio
    order = earmark.order(street.project_id)
    person = Labeler(browser, street, studio.credentials.token)
    for n in range(1, N_LABELS + 1):
        person.label()
        person.page.wait_for_timeout(300)
        if n % 5 == 0:
            person.wait_sent()
            earmark.wait_for_labels(street.project_id, n)
    task_of = {clip: task_id for task_id, clip in street.clips.items()}
    heard = [task_of[clip] for clip in person.heard]
    assert len(set(heard)) == N_LABELS, "none is asked about twice"
    assert heard[0] == order[0]
    me = earmark.label_studio.whoami()["id"]
    for task_id in heard:
        truth = street.truth[street.clips[task_id]]
        assert street.said(task_id) == [(me, ["siren" if truth == "siren" else "other"])]
    labeled = earmark.label_studio.annotated_tasks(street.project_id)
    assert sorted(one["id"] for one in labeled) == sorted(heard)

    # Each answer of the server is the order that Label Studio has, without what was answered.
    orders = earmark.orders(street.project_id)
    versions = set()
    for asked, answer, n_heard in person.told:
        if "n_left" not in answer:
            continue  # the order stands
        shown = max((heard.index(one) for one in asked["mine"] if one in heard), default=-1)
        gone = {*heard[: shown + 1], *asked["mine"]}
        kept = asked["ahead"][:1]
        rest = [
            one for one in orders[answer["model_version"]] if one not in gone and one not in kept
        ]
        # What the person answered while this was on its way, Label Studio may have known already.
        meanwhile = set(heard[:n_heard]) - set(answer["clips"])
        expected = [one for one in [*kept, *rest] if one not in meanwhile]
        assert answer["clips"] == expected[: len(answer["clips"])]
        versions.add(answer["model_version"])
    assert len(versions) >= 3, "there were rounds in between"
    person.leave()


def test_two_people_never_meet_the_same_clip(street, browser, second_token, second_annotator):
    first = Labeler(browser, street, street.earmark.studio.credentials.token)
    second = Labeler(browser, street, second_token)
    for _ in range(8):
        first.label()
        second.label()
    for person in (first, second):
        person.wait_sent()
    assert len({*first.heard, *second.heard}) == 16
    task_of = {clip: task_id for task_id, clip in street.clips.items()}
    ids = [street.earmark.label_studio.whoami()["id"], second_annotator.whoami()["id"]]
    for person, who in zip((first, second), ids, strict=True):
        said = [street.said(task_of[clip]) for clip in person.heard]
        assert [[one[0] for one in each] for each in said] == [[who]] * 8
        person.leave()


def test_undo_deletes_the_annotation_in_label_studio(street, browser):
    person = Labeler(browser, street, street.earmark.studio.credentials.token)
    person.label()
    person.wait_sent()
    (task_id,) = (task for task, clip in street.clips.items() if clip == person.heard[0])
    assert len(street.said(task_id)) == 1
    person.page.keyboard.press("Control+z")
    until(person.page, "clip => document.querySelector('.clip-name').textContent === clip",
          person.heard[0])  # fmt: skip
    person.wait_sent()
    deadline = time.monotonic() + PATIENCE_S
    while street.said(task_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    person.leave()
