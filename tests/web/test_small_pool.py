"""The small app of the browser tests answers the pages' calls as the backend does.

One list of calls goes to both. Their answers have the same status, the same keys and the same
kinds of values; where one of them knows no value (null, or an empty list), the other may.
"""

import io

import pytest
import soundfile

from ml_backend.web.snapshot import background_job, snapshots
from ml_backend.web.snapshot.packed import unpack
from tests.fake_label_studio import TOKEN
from tests.seeing import SeenProject
from tests.small_pool import CSRF_TOKEN, SmallPool, create_small_app
from tests.sounds import noise
from tests.visiting import csrf

N_CLIPS = 30
CLASSES = ("siren", "other")
GONE = 999_999


class Backend:
    """One of the two, and clips of it: the first two are labeled, the others are not."""

    def __init__(self, client, headers, path, task_ids):
        self.client, self.headers, self.path, self.task_ids = client, headers, path, task_ids

    def ask(self, method, path, body=None, headers=None):
        headers = self.headers if headers is None else headers
        for _ in range(1_000):
            answer = self.client.open(
                f"{self.path}/{path}", method=method, json=body, headers=headers
            )
            if answer.status_code != 202:
                return answer
        raise AssertionError(f"{path} is still being made")

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def finish(self, facts):
        """Look at a bulk until it is over."""
        for _ in range(10_000):
            facts = self.get(f"bulk/{facts['bulk']}").json
            if facts["is_over"]:
                return facts
        raise AssertionError(f"it goes on for ever: {facts}")


@pytest.fixture(scope="module")
def small():
    pool = SmallPool(N_CLIPS, class_names=list(CLASSES))
    pool.labels = {int(task_id): ["siren"] for task_id in pool.ids[:2]}
    pool.skipped = set()
    client = create_small_app(pool).test_client()
    return Backend(client, {"X-Earmark-CSRF": CSRF_TOKEN}, "/projects/1", pool.ids.tolist())


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patient:
        for module in (snapshots, background_job):
            patient.setattr(module, "PATIENCE_S", 60.0)
        folder = tmp_path_factory.mktemp("files")
        sound = io.BytesIO()
        soundfile.write(sound, noise(1.0), 16_000, format="WAV")
        (folder / "a.wav").write_bytes(sound.getvalue())
        data = [
            {"clip": f"{row}.wav", "recording_id": f"r{row // 3}", "street": f"street {row % 4}",
             "audio": "/data/local-files/?d=a.wav"}
            for row in range(N_CLIPS)
        ]  # fmt: skip
        project = SeenProject(folder, N_CLIPS, classes=CLASSES, data=data)
        for row in (0, 1):
            project.label(row)
        project.follow()
        client = project.place.browser(TOKEN)
        path = f"/projects/{project.project_id}"
        yield Backend(client, csrf(client), path, list(project.task_ids))
        project.store.close()


def differences(small, real, where=""):
    """List where two pieces of JSON differ in their keys or in the kinds of their values."""
    if small is None or real is None:
        return []
    if isinstance(small, dict) and isinstance(real, dict):
        found = [f"{where}: only one has {key!r}" for key in sorted(small.keys() ^ real.keys())]
        for key in small.keys() & real.keys():
            found += differences(small[key], real[key], f"{where}.{key}")
        return found
    if isinstance(small, list) and isinstance(real, list):
        return differences(small[0], real[0], f"{where}[0]") if small and real else []
    kinds = [
        "number" if isinstance(one, int | float) and not isinstance(one, bool) else type(one)
        for one in (small, real)
    ]
    return [] if kinds[0] == kinds[1] else [f"{where}: {small!r} and {real!r}"]


def same(small, real, ask):
    """Ask both, and give both answers if they are alike."""
    answers = [ask(one) for one in (small, real)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == statuses[1], [answer.get_data()[:300] for answer in answers]
    assert answers[0].mimetype == answers[1].mimetype
    if answers[0].is_json:
        assert differences(answers[0].json, answers[1].json) == []
    return answers


READING = {
    "the revision": lambda one: one.get("revision"),
    "a labeled clip": lambda one: one.get(f"clips/{one.task_ids[0]}"),
    "a clip of the pool": lambda one: one.get(f"clips/{one.task_ids[-1]}"),
    "its neighbors": lambda one: one.get(f"clips/{one.task_ids[0]}/neighbors?n=5"),
    "its sound": lambda one: one.get(f"clips/{one.task_ids[0]}/audio"),
    "a part of its sound": lambda one: one.get(
        f"clips/{one.task_ids[0]}/audio", headers={"Range": "bytes=0-99"}
    ),
    "a column that is not there": lambda one: one.get("column?name=meta:nothing"),
    "what is done in the background": lambda one: one.get("bulk"),
    "a bulk that nobody knows": lambda one: one.get("bulk/nothing"),
    "what is next": lambda one: one.ask(
        "POST", "label/next", {"tab": "a", "ahead": [], "mine": [], "model_version": None}
    ),
    "a page that is left": lambda one: one.ask("DELETE", "label/next/a"),
    "a change without the page's token": lambda one: one.ask(
        "POST", "annotations", {"task_ids": one.task_ids[:1], "labels": ["siren"]}, headers={}
    ),
}


@pytest.mark.parametrize("what", READING)
def test_both_answer_alike(small, real, what):
    same(small, real, READING[what])


def test_both_name_the_state_of_a_clip_alike(small, real):
    for row, state in [(0, "labeled"), (-1, "pool")]:
        assert [one.get(f"clips/{one.task_ids[row]}").json["state"] for one in (small, real)] == [
            state,
            state,
        ]


def told(answer):
    """Give the header of an answer in the packed form, and what it says of each column."""
    header, columns = unpack(answer.get_data())
    described = {
        name: {**vars(one), "stored": str(one.stored.dtype)} for name, one in columns.items()
    }
    return header, described


def test_both_frames_have_the_same_header_and_describe_columns_alike(small, real):
    headers = [told(answer)[0] for answer in same(small, real, lambda one: one.get("frame"))]
    listed = [{one["name"]: one for one in header["available"]} for header in headers]
    assert differences(*headers) == []
    for name in listed[0].keys() & listed[1].keys():
        assert listed[0][name]["kind"] == listed[1][name]["kind"]
        assert listed[0][name]["group"] == listed[1][name]["group"]


@pytest.mark.parametrize("name", ["entropy", "label", "state", "clip", "probability:siren"])
def test_both_give_a_column_in_the_same_form(small, real, name):
    answers = same(small, real, lambda one: one.get(f"column?name={name}"))
    (header, columns), (other_header, other_columns) = map(told, answers)
    assert differences(header, other_header) == differences(columns, other_columns) == []
    assert columns[name]["kind"] == other_columns[name]["kind"]


def test_both_label_and_take_back(small, real):
    def label(one):
        return one.ask("POST", "annotations", {"task_ids": one.task_ids[4:6], "labels": ["siren"]})

    made = same(small, real, label)
    undo = {id(one): answer.json["undo"] for one, answer in zip((small, real), made, strict=True)}
    undone = same(small, real, lambda one: one.ask("DELETE", f"annotations/{undo[id(one)]}"))
    assert [answer.json["n"] for answer in undone] == [2, 2]


def test_both_label_in_the_background_and_take_back(small, real):
    def label(one):
        body = {"task_ids": one.task_ids[6:12], "labels": ["other"], "only_unanswered": True}
        return one.ask("POST", "bulk", body)

    done = [
        one.finish(answer.json)
        for one, answer in zip((small, real), same(small, real, label), strict=True)
    ]
    assert differences(*done) == []
    assert [facts["n"] for facts in done] == [6, 6]
    word = {id(one): facts["undo"] for one, facts in zip((small, real), done, strict=True)}
    begun = same(small, real, lambda one: one.ask("POST", "bulk", {"undo": word[id(one)]}))
    undone = [one.finish(a.json) for one, a in zip((small, real), begun, strict=True)]
    assert differences(*undone) == []
    assert [facts["is_undo"] for facts in undone] == [True, True]
    stopped = {id(one): facts["bulk"] for one, facts in zip((small, real), undone, strict=True)}
    same(small, real, lambda one: one.ask("DELETE", f"bulk/{stopped[id(one)]}"))


def test_both_put_clips_first_and_make_a_tab(small, real):
    same(small, real, lambda one: one.ask("POST", "queue", {"task_ids": one.task_ids[20:23]}))
    body = {"title": "Sirens"}
    same(small, real, lambda one: one.ask("POST", "tab", {**body, "task_ids": one.task_ids[:3]}))


def test_it_is_noticed_where_they_differ():
    assert differences({"a": 1}, {"a": 1.5}) == differences([], [1]) == []
    assert differences({"a": 1}, {"b": 1}) == [": only one has 'a'", ": only one has 'b'"]
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": True}]}) == [".a[0].b: 1 and True"]
