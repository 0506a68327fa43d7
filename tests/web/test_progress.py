"""The progress page: says how things stand, in figures and words, to everybody's browser."""

import itertools
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest

from ml_backend.clip import Task, content_hash
from ml_backend.evaluation.intervals import spell_estimate
from ml_backend.learning.round_input import learned_version
from ml_backend.web.pages.confusion_matrix import lay_out_matrix
from tests.counting import n_calls
from tests.progressing import EMBEDDER_ID, Project
from tests.visiting import AS_BROWSER, BASIC, TOKEN, csrf

pytestmark = pytest.mark.slow

VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """A page as a list of elements, each with its attributes, text and table."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.source = [], [], text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        one = {
            "tag": tag,
            "text": "",
            "within": [up["tag"] for up in self.open],
            **dict(attributes),
        }
        self.elements.append(one)
        if tag not in VOID:
            self.open.append(one)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag
        self.handle_data(" ")

    def handle_data(self, data):
        for one in self.open:
            one["text"] += data

    def all(self, tag):
        return [one for one in self.elements if one["tag"] == tag]

    def section(self, name):
        """Give the words of a section, spaces told once."""
        (found,) = (one for one in self.all("section") if one["id"] == name)
        return " ".join(found["text"].split())


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Sixty labels of two annotators, read by two rounds; nobody changes it."""
    project = Project(tmp_path_factory.mktemp("street"))
    for number in (1, 2):
        project.label(30, by=number)
    return project


@pytest.fixture
def fresh(tmp_path):
    return Project(tmp_path)


def visit(project):
    client = project.place.browser(TOKEN)
    answer = client.get(project.address(), headers=AS_BROWSER)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return Page(answer.get_data(as_text=True))


def told(project):
    return project.place.browser(TOKEN).get(project.address("/progress")).get_json()


def check_form(page):
    """What every browser and every reader of screens can rely on."""
    ids = [one["id"] for one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    for one in page.elements:
        assert "style" not in one
        assert not any(name.startswith("on") for name in one)
        for reference in one.get("aria-labelledby", "").split():
            assert reference in ids
        if one["tag"] == "th":
            assert one["scope"] in ("col", "row", "colgroup")
        if one["tag"] == "script":
            assert one["text"] == ""
            assert one["src"].startswith("/static/")
        if one["tag"] in ("a", "button"):
            assert one["text"].strip() or one.get("aria-label")
        if one["tag"] == "svg":
            assert one.get("aria-hidden") == "true" or one["role"] == "img"
    levels = [int(one["tag"][1]) for one in page.elements if re.fullmatch("h[1-6]", one["tag"])]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_project_without_clips_says_what_to_do(tmp_path):
    project = Project(tmp_path, n_clips=0)
    page = visit(project)
    check_form(page)
    assert "'earmark import' brings them" in page.section("now")
    for name in ("versions", "rounds"):
        assert "None yet" in page.section(name)


def test_a_project_without_labels_claims_nothing(fresh):
    fresh.round()
    page = visit(fresh)
    check_form(page)
    assert "No labels yet" in page.section("now")
    assert "Nothing is measured yet" in page.section("quality")
    assert "Nobody has labeled" in page.section("annotators")
    assert [one for one in page.all("svg") if one.get("role") == "img"] == []


def test_one_class_alone_is_told_as_such(fresh):
    for task_id in fresh.task_ids[:8]:
        fresh.studio.annotate(task_id, "siren")
    fresh.round()
    page = visit(fresh)
    check_form(page)
    assert "One class so far (siren)" in page.section("now")
    assert "Nothing is measured yet" in page.section("quality")
    assert "8 not measured current: it ranks the clips, and cannot predict" in page.section(
        "versions"
    )
    assert "siren 8" in page.section("classes")


def test_the_page_tells_figures_curve_and_advice(street):
    page, facts = visit(street), told(street)
    check_form(page)
    accuracy = facts["accuracy"]
    for figures in (accuracy["pool"], accuracy["cross_validated"]):
        assert spell_estimate(figures["balanced_accuracy"]) in page.section("quality")
    for name, of_class in accuracy["pool"]["classes"].items():
        told_of_class = " ".join(
            spell_estimate(of_class[one])
            for one in ("precision", "recall", "f1", "average_precision", "share")
        )
        assert f"{name} {told_of_class}" in page.section("unlabeled")
        threshold = accuracy["rule"]["thresholds"][name]
        assert f"{told_of_class} {threshold:.2f}" in page.section("unlabeled")
    assert accuracy["rule"]["words"] in page.section("unlabeled")
    assert accuracy["advice"] in page.section("quality")
    (curve,) = (one for one in page.all("svg") if one.get("role") == "img")
    assert "Learning curve" in curve["text"]
    assert f"{accuracy['curve'][-1]['n_labeled']} labels" in curve["text"]
    dots = [one for one in page.all("circle") if "svg" in one["within"]]
    assert len(dots) == len(accuracy["curve"])


def test_labels_are_told_by_class_and_by_annotator(street):
    page, facts = visit(street), told(street)
    first, second = facts["annotators"]
    assert first["n_clips"] == second["n_clips"] == 30
    for name, number in facts["labels"].items():
        assert f"{name} {number}" in page.section("classes")
        assert first["labels"][name] + second["labels"][name] == number
    assert "user2@studio.test 30 0" in page.section("annotators")


def test_one_clip_that_was_drawn_at_random_is_one_clip(fresh):
    n_audit = 0
    while n_audit == 0:
        fresh.label(5)
        n_audit = told(fresh)["accuracy"]["n_audit"]
    assert n_audit == 1
    assert "On 1 clip of the random sample" in visit(fresh).section("quality")


def test_cells_of_the_confusion_lead_to_exactly_their_clips(street):
    page, facts = visit(street), told(street)
    confusion = facts["confusion"]
    wrong = {(one["label"], one["predicted"]): one["task_ids"] for one in confusion["wrong"]}
    assert set(wrong) == {("siren", "other"), ("other", "siren")}
    links = {one["aria-label"]: one["href"] for one in page.all("a") if "aria-label" in one}
    right = {(one["label"], one["predicted"]): one["task_ids"] for one in confusion["right"]}
    assert set(right) == {("siren", "siren"), ("other", "other")}
    for (given, said), task_ids in (wrong | right).items():
        link = links[f"{len(task_ids)} clips labeled {given}, predicted as {said}, on the map"]
        assert link.startswith(f"{street.address()}/map?focus={task_ids[0]}#sel=")
        assert [int(one) for one in link.partition("#sel=")[2].split(",")] == task_ids
        for task_id in task_ids:
            (annotation,) = (a for a in street.studio.annotations.values() if a["task"] == task_id)
            assert annotation["result"][0]["value"]["choices"] == [given]
    n_aside = 60 - np.sum(confusion["counts"])
    assert n_aside > 0
    assert (
        f"{n_aside} labeled clips more are set aside: they are the random sample"
        in page.section("confusion")
    )


def test_labels_that_the_confusion_leaves_out_are_named():
    confusion = {
        "class_names": ["a", "b"],
        "counts": [[9, 1], [0, 0]],
        "wrong": [{"label": "a", "predicted": "b", "task_ids": [1]}],
        "left_out": [{"label": "b", "task_ids": [7, 8, 9]}],
    }
    matrix = lay_out_matrix(1, confusion, 15)
    assert matrix.left_out == [("b", 3, "/projects/1/map?focus=7#sel=7,8,9")]
    assert matrix.n_aside == 2


def test_labels_that_are_wrong_are_listed_to_be_checked(street):
    wrong = {street.task_ids[row] for row in range(60) if row % 11 == 10}
    suspects = told(street)["suspects"]
    assert {one["task_id"] for one in suspects} <= wrong
    assert len(suspects) >= 3
    page = visit(street)
    for one in suspects:
        assert one["clip"] in page.section("suspects")
        links = [link["href"] for link in page.all("a")]
        assert f"{street.address()}/map?focus={one['task_id']}#sel={one['task_id']}" in links
        assert any(link.endswith(f"/data?task={one['task_id']}") for link in links)


def test_rounds_and_versions_are_told_newest_first(street):
    facts = told(street)
    names = [one["model_version"] for one in facts["versions"]]
    assert names[0] == facts["model_version"] == street.store.versions.names(street.project_id)[0]
    assert [one["n_labeled"] for one in facts["versions"]] == [60, 30]
    assert [one["is_current"] for one in facts["versions"]] == [True, False]
    assert all(0 < one["balanced_accuracy"]["value"] <= 1 for one in facts["versions"])
    page = visit(street)
    assert all(name in page.section("rounds") for name in names)
    assert page.section("versions").count("Pin") == 1


def test_several_labels_a_clip_are_told_class_by_class(tmp_path):
    project = Project(tmp_path, ("siren", "dog", "rain"), multi_label=True)
    project.label(40)
    page, facts = visit(project), told(project)
    check_form(page)
    assert len(facts["confusion"]["counts"]) == 3
    assert "false positive" in page.section("confusion")


@pytest.mark.parametrize("names", [("<b>siren</b>", '"><script>alert(1)</script>', "a.b, ~c & d")])
def test_html_in_names_is_shown_as_text(tmp_path, names):
    project = Project(tmp_path, names)
    project.label(40)
    project.place.store.agenda.describe(
        project.project_id, title="<i>Street</i>", class_names=list(names)
    )
    page = visit(project)
    check_form(page)
    assert not {"b", "i"} & {one["tag"] for one in page.all("tbody")}
    assert "alert(1)" not in page.source.replace("&lt;script&gt;alert(1)", "").replace(
        "%3Cscript%3Ealert(1)", ""
    )
    for name in names:
        assert name in page.section("classes")
        assert name in page.section("confusion")
    filters = [
        one["href"].partition("f.label=")[2] for one in page.all("a") if "f.label" in str(one)
    ]
    assert {unquote(one.partition("&")[0]) for one in filters} == set(names)
    assert "street <" in page.section("suspects")


def test_twenty_classes_have_their_matrix(tmp_path):
    names = tuple(f"class {number:02d}" for number in range(20))
    project = Project(tmp_path, names, n_clips=400)
    for _ in range(2):
        project.label(120)
    page, facts = visit(project), told(project)
    check_form(page)
    assert np.shape(facts["confusion"]["counts"]) == (20, 20)
    n_wrong = sum(len(one["task_ids"]) for one in facts["confusion"]["wrong"])
    counts = np.array(facts["confusion"]["counts"])
    assert n_wrong == counts.sum() - counts.trace() > 0
    assert len(facts["suspects"]) <= 50


@pytest.mark.parametrize("n_classes", [3, 8])
def test_annotations_without_a_usable_label_are_told_by_annotator(tmp_path, n_classes):
    project = Project(tmp_path, tuple(f"class {n}" for n in range(n_classes)))
    for task_id in project.task_ids[:3]:
        project.studio.annotate(task_id)
    project.studio.annotate(project.task_ids[3], "class 0", control="another")
    project.round()
    page = visit(project)
    check_form(page)
    words = page.section("annotators")
    if n_classes > 7:  # a row for each
        assert "Without a label 3 Unreadable 1" in words
    else:
        assert "Without a label Unreadable" in words
        assert "3 1" in words


def test_heat_is_the_share_of_the_row():
    confusion = {
        "class_names": ["a", "b"],
        "counts": [[90, 10], [0, 0]],
        "wrong": [{"label": "a", "predicted": "b", "task_ids": list(range(10))}],
    }
    (_, (right, wrong)), (_, empty) = lay_out_matrix(1, confusion, 100).rows
    assert (right.heat, wrong.heat) == (5, 1)
    assert [(cell.heat, cell.address) for cell in empty] == [(0, None), (0, None)]


def test_names_that_the_network_knows_are_told_by_class(fresh):
    names = {"siren": ["Siren", "Police car (siren)"], "other": []}
    fresh.store.agenda.describe(fresh.project_id, title="Street", class_names=["siren", "other"])
    fresh.store.facts.write(f"names of project {fresh.project_id}", names)
    words = visit(fresh).section("classes")
    assert "AudioSet name" in words
    assert "Siren, Police car (siren)" in words


def test_hearing_trouble_and_what_cannot_be_heard_are_told_in_words(fresh):
    gone = [Task(9_000 + n, f"gone {n}", "/a.wav", None, {}) for n in range(3)]
    fresh.store.clips.replace_tasks(
        fresh.project_id, fresh.store.clips.tasks(fresh.project_id) + gone
    )
    reason = "/data/<a>.wav: there is no such file."
    fresh.store.clips.add_failed(EMBEDDER_ID, "gone 0", reason, now=1.0)
    turn = fresh.store.agenda.take(fresh.project_id, now=2.0, lease_s=1.0)
    fresh.store.agenda.fail(turn, "Label Studio does not answer.", now=3.0)
    page = visit(fresh)
    check_form(page)
    assert "Embedding clips: 121 of 123" in page.section("now")
    (bar,) = page.all("progress")
    assert (bar["value"], bar["max"]) == ("121", "123")
    assert any("Label Studio does not answer." in one["text"] for one in page.all("p"))
    assert f"9000 {reason}" in page.section("failed")


def ask_first(project, **wanted):
    client = project.place.browser(TOKEN)
    answer = client.post(project.address("/queue"), json=wanted, headers=csrf(client))
    assert answer.status_code == 200, answer.get_json()


def requested_first(page):
    (section,) = (one for one in page.all("section") if one["id"] == "requested-first")
    words = page.section("requested-first").removeprefix("Requested first").strip()
    return "hidden" not in section, words


def links_to_map(page):
    return [one["href"] for one in page.all("a") if one["text"].endswith("on the map")]


def test_where_nothing_is_asked_for_first_nothing_is_said_of_it(street):
    assert requested_first(visit(street)) == (False, "")


def test_chosen_clips_are_counted_and_lead_to_those_still_to_label(fresh):
    fresh.label(10)
    ask_first(fresh, task_ids=fresh.task_ids[8:13])
    page = visit(fresh)
    check_form(page)
    is_shown, words = requested_first(page)
    assert is_shown
    assert words.startswith("5 chosen clips Requested by first@studio.test")
    assert "Labeled 2 In the pool 3 Open all 3 on the map Withdraw the request" in words
    left = fresh.task_ids[10:13]
    assert links_to_map(page) == [
        f"{fresh.address()}/map?focus={left[0]}#sel={','.join(map(str, left))}"
    ]
    fresh.label(5)
    words = requested_first(visit(fresh))[1]
    assert "Labeled 5 In the pool 0 None of them is left to label." in words


def test_a_condition_is_told_in_its_own_words(fresh):
    fresh.label(10)
    ask_first(fresh, where="""clip in ["street <10>.wav", "street <3>.wav"] and clip != '<i>'""")
    page = visit(fresh)
    check_form(page)
    assert "i" not in {one["tag"] for one in page.elements}
    words = requested_first(page)[1]
    assert words.startswith("""clip in ["street <10>.wav", "street <3>.wav"] and clip != '<i>'""")
    assert "Match 2 Labeled 1 In the pool 1 Open it on the map" in words
    assert links_to_map(page) == [
        f"{fresh.address()}/map?focus={fresh.task_ids[10]}#sel={fresh.task_ids[10]}"
    ]


def test_a_condition_that_fits_no_more_says_why_and_can_be_dropped(fresh):
    ask_first(fresh, where='"street" in clip')
    clips = [Task(one.task_id, one.clip_key, one.audio, None, {}) for one in
             fresh.store.clips.tasks(fresh.project_id)]  # fmt: skip
    fresh.store.clips.replace_tasks(fresh.project_id, clips)
    words = requested_first(visit(fresh))[1]
    assert "The request no longer fits the clips, and has no effect: There is no column" in words
    assert words.endswith("Withdraw the request")
    client = fresh.place.browser(TOKEN)
    assert client.delete(fresh.address("/queue")).status_code == 403
    assert client.delete(fresh.address("/queue"), headers=csrf(client)).status_code == 200
    assert requested_first(visit(fresh)) == (False, "")


def test_who_has_read_it_is_told_that_nothing_changed(fresh):
    fresh.round()
    client = fresh.place.browser(TOKEN)
    first = client.get(fresh.address(), headers=AS_BROWSER)
    again = {**AS_BROWSER, "If-None-Match": first.headers["ETag"]}
    assert client.get(fresh.address(), headers=again).status_code == 304
    fresh.label(1)
    assert client.get(fresh.address(), headers=again).status_code == 200


def test_no_token_and_no_secret_is_on_the_page(street):
    client = street.place.browser(TOKEN)
    for more in ("", "/progress"):
        text = client.get(street.address(more)).get_data(as_text=True)
        assert TOKEN not in text
        assert street.place.settings.secret not in text


def test_a_project_that_nobody_connected_is_named(street):
    other = street.studio.add_project("<View/>")
    answer = street.place.browser(TOKEN).get(f"/projects/{other}", headers=AS_BROWSER)
    assert answer.status_code == 404
    assert f"earmark setup --project {other}" in answer.get_data(as_text=True).replace("&#39;", "'")
    assert other not in street.store.agenda.project_ids()


class TestGoingBack:
    """An earlier version is made current from the page, and let go again."""

    @pytest.fixture
    def labeled(self, fresh):
        fresh.label(20)
        fresh.label(10)
        return fresh

    def test_a_button_of_the_page_does_it_without_a_script(self, labeled):
        client = labeled.place.browser(TOKEN)
        page = Page(client.get(labeled.address(), headers=AS_BROWSER).get_data(as_text=True))
        fields = {one["name"]: one["value"] for one in page.all("input") if "versions" not in one}
        early = told(labeled)["versions"][-1]["model_version"]
        assert fields["model_version"] == early
        answer = client.post(labeled.address("/version"), data=fields, headers=AS_BROWSER)
        assert answer.status_code == 303
        labeled.round()
        assert (
            learned_version(labeled.studio.projects[labeled.project_id]["model_version"]) == early
        )
        page = visit(labeled)
        check_form(page)
        assert f"Pinned: {early}" in page.section("now")
        assert "Unpin" in page.section("now")
        assert "trained on 20 labels" in page.section("now")
        measured = told(labeled)["accuracy"]
        quality = page.section("quality")
        assert f"Measured for {measured['model_version']} , not for the pinned version" in quality
        assert measured["advice"] not in quality
        (status,) = client.get("/status", auth=BASIC).get_json()["projects"]
        assert status["pinned"] == early

    @pytest.mark.slow
    def test_null_lets_it_go_on(self, labeled):
        client = labeled.place.browser(TOKEN)
        before = told(labeled)["model_version"]
        early = told(labeled)["versions"][-1]["model_version"]
        for wanted in (early, None):
            body = {"model_version": wanted}
            answer = client.post(labeled.address("/version"), json=body, headers=csrf(client))
            assert answer.get_json() == {"pinned": wanted, "held": wanted}
            labeled.round()
        assert told(labeled)["model_version"] == before
        assert told(labeled)["pinned"] is None

    @pytest.mark.slow
    def test_between_the_wish_and_its_round_the_page_says_so(self, labeled):
        client = labeled.place.browser(TOKEN)
        early = told(labeled)["versions"][-1]["model_version"]
        body = {"model_version": early}
        client.post(labeled.address("/version"), json=body, headers=csrf(client))
        page = visit(labeled)
        assert f"Going back to {early}" in page.section("now")
        assert "from the next round on" in page.section("versions")

    def test_it_takes_a_page_of_the_session(self, labeled):
        client = labeled.place.browser(TOKEN)
        body = {"model_version": told(labeled)["model_version"]}
        assert client.post(labeled.address("/version"), json=body).status_code == 403
        assert (
            labeled.place.browser().post(labeled.address("/version"), json=body).status_code == 401
        )
        assert told(labeled)["pinned"] is None

    @pytest.mark.parametrize("wanted", ["earmark-7-0123456789ab", 7, ["x"], "<b>", "", "\0"])
    def test_nonsense_is_refused_with_a_word(self, street, wanted):
        client = street.place.browser(TOKEN)
        body = {"model_version": wanted}
        answer = client.post(street.address("/version"), json=body, headers=csrf(client))
        assert answer.status_code == 400
        assert str(wanted).strip("\0") in answer.get_json()["error"]
        half = client.post(
            street.address("/version"), data='{"model_version": "\\ud800"}', headers=csrf(client)
        )
        assert (half.status_code, "'?'" in half.get_json()["error"]) == (400, True)
        empty = client.post(street.address("/version"), json={}, headers=csrf(client))
        assert empty.status_code == 400


def test_the_page_of_a_large_project_takes_no_more_steps_than_that_of_a_small_one(tmp_path):
    project = Project(tmp_path)
    for _ in range(3):
        project.label(20)
    client = project.place.browser(TOKEN)

    def n_steps():
        pages = [project.address(more) for more in ("", "/progress")]
        for page in pages:
            assert client.get(page, headers=AS_BROWSER).status_code == 200
        return [n_calls(lambda page=page: client.get(page, headers=AS_BROWSER)) for page in pages]

    before = n_steps()
    n_clips = 8_732
    keys = [content_hash(str(n).encode()) for n in range(n_clips)]
    tasks = [Task(10_000 + n, key, "/a.wav", str(n // 3), {}) for n, key in enumerate(keys)]
    known = project.store.clips.tasks(project.project_id)
    project.store.clips.replace_tasks(project.project_id, known + tasks)
    project.store.clips.add_embeddings(EMBEDDER_ID, keys, np.zeros((n_clips, 16), np.float32))
    assert max(after / small for after, small in zip(n_steps(), before, strict=True)) < 2
