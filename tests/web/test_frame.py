import copy
import gc
import gzip
import re
import threading
import weakref

import numpy as np
import pytest

from ml_backend.similarity.map_layout import DEFAULT, FEWEST, PCA
from ml_backend.web.snapshot import background_job, snapshots
from ml_backend.web.snapshot.packed import unpack
from ml_backend.web.snapshot.snapshots import Snapshots
from tests.seeing import SeenProject, decoded
from tests.visiting import BASIC

FRAME = [
    "task_id",
    "x",
    "y",
    "label",
    "state",
    "skipped",
    "predicted",
    "entropy",
    "coverage",
    "rank",
    "recording",
]


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Who asks waits for what is being made, however busy the machine is."""
    for module in (snapshots, background_job):
        monkeypatch.setattr(module, "PATIENCE_S", 60.0)


def seen(tmp_path, **how):
    project = SeenProject(tmp_path, **how)
    project.follow()
    return project


def frame(project, query=""):
    told, columns = project.read(f"frame{query}")
    return told, {name: decoded(column) for name, column in columns.items()}


def test_before_anything_is_labeled_all_clips_are_there_and_none_is_judged(tmp_path):
    project = seen(tmp_path, n=12)
    told, columns = frame(project)
    assert list(columns) == FRAME
    assert columns["task_id"] == project.task_ids
    assert columns["label"] == columns["predicted"] == columns["entropy"] == [None] * 12
    assert columns["skipped"] == [0] * 12
    assert columns["coverage"] == [1.0] * 12
    assert sorted(columns["rank"]) == list(range(1, 13))
    assert columns["recording"] == [f"r{row // 3}" for row in range(12)]
    assert all(0 <= value <= 1 for value in columns["x"] + columns["y"])
    assert told["n"] == 12
    assert told["model_version"] is None
    assert told["class_names"] == ["siren", "other"]
    assert (told["title"], told["multi_label"]) == ("Street", False)
    assert told["map"]["kind"] == "pca"
    available = {one["name"] for one in told["available"]}
    assert available == {"label", "state", "skipped", "coverage", "rank", "recording", "clip"}


def test_what_is_labeled_and_learned_is_seen(tmp_path):
    project = seen(tmp_path)
    for row in range(8):
        project.label(row)
    project.label(9, skipped=True)
    project.follow()
    told, columns = frame(project)
    assert columns["label"] == project.truth[:8] + [None] * 22
    assert columns["skipped"] == [int(row == 9) for row in range(30)]
    assert columns["predicted"] == project.truth
    assert columns["coverage"][:8] == [0.0] * 8
    assert all(value > 0 for value in columns["coverage"][8:])
    assert columns["rank"][:8] == [None] * 8
    assert columns["rank"][9] is None
    assert told["model_version"].startswith("earmark-8-")
    assert {"predicted", "entropy", "disagreement"} <= {one["name"] for one in told["available"]}
    siren, other = (project.column(f"probability:{name}") for name in ("siren", "other"))
    assert [a + b for a, b in zip(siren, other, strict=True)] == pytest.approx([1.0] * 30, abs=1e-3)
    entropy = [-(p * np.log2(p) + (1 - p) * np.log2(1 - p)) for p in siren]
    assert columns["entropy"] == pytest.approx(entropy, abs=1e-2)
    assert project.column("entropy") == columns["entropy"]
    near = project.column("disagreement")
    likely = {"siren": siren, "other": other}
    assert near[:8] == pytest.approx(
        [1 - likely[project.truth[row]][row] for row in range(8)], abs=1e-3
    )


def test_one_clip_is_a_map(tmp_path):
    project = seen(tmp_path, n=1)
    _, columns = frame(project)
    assert (columns["x"], columns["y"]) == (
        pytest.approx([0.5], abs=1e-4),
        pytest.approx([0.5], abs=1e-4),
    )


def test_a_project_that_nobody_has_heard_yet_shows_what_its_tasks_say(tmp_path):
    project = seen(tmp_path, n=3, is_embedded=False)
    told, columns = frame(project)
    assert (
        columns["x"] == columns["entropy"] == columns["coverage"] == columns["rank"] == [None] * 3
    )
    assert columns["recording"] == ["r0", "r0", "r0"]
    assert project.column("clip") == ["clip 0.wav", "clip 1.wav", "clip 2.wav"]
    assert told["map"]["kind"] == "pca"


def test_a_project_that_no_round_has_read_is_empty(tmp_path):
    project = SeenProject(tmp_path, n=0)
    told, columns = frame(project)
    assert told["n"] == 0
    assert columns["task_id"] == []
    assert told["revision"] == project.get("revision").json["revision"]


def test_a_project_whose_tasks_were_all_deleted_is_empty(tmp_path):
    project = seen(tmp_path, n=3)
    assert frame(project)[0]["n"] == 3
    project.studio.tasks.clear()
    project.follow()
    told, columns = frame(project)
    assert (told["n"], columns["x"]) == (0, [])


def test_clips_heard_later_are_nowhere_until_they_are_placed(tmp_path):
    project = seen(tmp_path, n=6, is_embedded=False)
    project.store.clips.add_embeddings(
        project.embedder_id, project.keys[:4], project.embeddings[:4]
    )
    project.page_data.embedded(project.project_id)
    project.page_data._drawn.clear()
    project.page_data.look(project.project_id)
    _, columns = frame(project)
    assert [value is None for value in columns["x"]] == [False] * 4 + [True] * 2


def test_twenty_classes_and_several_labels_a_clip(tmp_path):
    classes = [f"class {number}" for number in range(20)]
    project = SeenProject(tmp_path, n=30, classes=classes, multi_label=True, dim=24)
    for row in range(3):
        project.label(row)
    project.studio.annotate(project.task_ids[20], "class 7", "class 2", control=project.control)
    project.studio.annotate(project.task_ids[21], control=project.control)
    project.follow()
    told, columns = frame(project)
    assert told["multi_label"] is True
    assert told["class_names"] == classes
    assert columns["label"][:4] == [*project.truth[:3], None]
    assert columns["label"][20:22] == ["class 2, class 7", "none of them"]
    p = np.array([project.column(f"probability:{name}") for name in classes]).T
    version = project.store.versions.find(project.project_id, told["model_version"])
    thresholds = 1 / (1 + np.exp(version.classifier["offsets"]))
    for row in range(30):
        likely = [classes[k] for k in np.flatnonzero(p[row] >= thresholds)]
        if abs(p[row] - thresholds).min() > 1e-4:
            assert columns["predicted"][row] == (", ".join(likely) or "none of them")


def test_metadata_is_had_by_column_and_typed(tmp_path):
    data = [
        {"salience": 1, "level_db": -3.5, "wet": True, "at": "2024-05-01T20:15", "<b>": "<i>x</i>"},
        {"salience": None, "level_db": None, "wet": False, "at": None, "<b>": "y"},
        {"salience": 2, "level_db": 2, "wet": None, "at": "2024-05-02", "<b>": None},
    ]
    project = seen(tmp_path, n=3, data=data)
    told, _ = project.read("frame")
    found = {one["name"]: (one["title"], one["kind"], one["group"]) for one in told["available"]}
    assert found["meta:salience"] == ("salience", "number", "metadata")
    assert found["meta:<b>"] == ("<b>", "category", "metadata")
    assert [found[f"meta:{name}"][1] for name in ("wet", "at")] == ["boolean", "date"]
    assert project.column("meta:salience") == [1, None, 2]
    assert project.column("meta:level_db") == [-3.5, None, 2.0]
    assert project.column("meta:wet") == [1, 0, None]
    assert project.column("meta:at") == [1714594500.0, None, 1714608000.0]
    assert project.column("meta:%3Cb%3E") == ["<i>x</i>", "y", None]


def test_five_thousand_distinct_values_are_a_column_of_text(tmp_path):
    data = [{"site": f"site {row}"} for row in range(5_001)]
    project = seen(tmp_path, n=5_001, data=data, is_embedded=False)
    (column,) = project.read("column?name=meta:site")[1].values()
    assert (column.kind, column.stored.dtype, len(column.names)) == ("text", np.uint16, 5_001)
    assert decoded(column) == [one["site"] for one in data]


def test_too_many_recordings_lose_their_names_in_the_frame_only(tmp_path):
    data = [{"recording_id": f"r{row:04d}"} for row in range(5_001)]
    project = seen(tmp_path, n=5_001, data=data, is_embedded=False)
    column = project.read("frame")[1]["recording"]
    assert column.names is None
    assert len(set(column.stored.tolist())) == 5_001
    assert project.column("recording")[-1] == "r5000"


def test_a_column_that_there_is_not_is_not_found(tmp_path):
    project = seen(tmp_path, n=2)
    for name in ("", "no such", "meta:none", "probability:", "probability:whale", "word:Siren"):
        answer = project.get(f"column?name={name}")
        assert answer.status_code == 404, name
        assert "There is no column" in answer.json["error"]


def test_the_revision_changes_with_what_is_seen_and_only_then(tmp_path):
    project = seen(tmp_path, n=FEWEST - 1)
    revisions = [project.get("revision").json["revision"]]

    def ask():
        revisions.append(project.get("revision").json["revision"])
        return revisions[-1] != revisions[-2]

    assert not ask()
    project.follow()
    assert not ask()
    project.label(0)
    project.follow()
    assert ask()
    assert project.get("revision").json["n_labeled"] == 1
    project.label(1)
    project.label(2, "other")
    project.follow()
    assert ask()
    project.fit_maps()
    assert ask()
    project.studio.add_tasks(project.project_id, [{"audio": "/data/new.wav"}])
    project.follow()
    assert ask()
    assert project.read("frame")[0]["n"] == FEWEST
    project.studio.projects[project.project_id]["title"] = "Another street"
    project.follow()
    assert ask()
    assert not ask()


def test_the_revision_tells_what_is_asked_for_first(tmp_path):
    project = seen(tmp_path, n=6)
    project.follow()
    assert project.get("revision").json["requested_first"] is None
    how = {"json": {"task_ids": project.task_ids[:3]}, "auth": BASIC}
    project.client.post(f"/projects/{project.project_id}/queue", **how)
    project.label(0)
    project.follow()
    asked = project.get("revision").json["requested_first"]
    assert sum(asked.pop("states").values()) == 3
    assert asked == {
        "where": None, "requested_by": "", "error": None, "n": 3, "n_labeled": 1, "n_left": 2,
    }  # fmt: skip


def test_a_label_is_seen_before_a_model_has_followed_it(tmp_path):
    project = seen(tmp_path, n=12)
    for row in range(4):
        project.label(row)
    project.follow()
    before = frame(project)[0]["revision"]
    project.label(5, "other")
    project.place.store.labels.replace(
        project.project_id,
        [*project.store.labels.read(project.project_id), _answer(project.task_ids[5], "other")],
    )
    told, columns = frame(project)
    assert told["revision"] != before
    assert columns["label"][5] == "other"


def _answer(task_id, *labels):
    from ml_backend.clip import TaskLabels

    return TaskLabels(task_id, frozenset(labels), state="labeled", n_annotators=1)


def test_who_has_the_frame_is_told_so(tmp_path):
    project = seen(tmp_path, n=5)
    answer = project.get("frame")
    etag = answer.headers["ETag"]
    again = project.get("frame", headers={"If-None-Match": etag})
    assert (again.status_code, again.get_data()) == (304, b"")
    project.label(0)
    project.follow()
    changed = project.get("frame", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_a_label_leaves_what_the_tasks_say_as_it_was(tmp_path):
    project = seen(tmp_path, n=5)
    project.follow()
    etags = {name: project.get(f"column?name={name}").headers["ETag"] for name in ("clip", "label")}
    project.label(0)
    project.follow()
    answers = {
        name: project.get(f"column?name={name}", headers={"If-None-Match": etag})
        for name, etag in etags.items()
    }
    assert {name: one.status_code for name, one in answers.items()} == {"clip": 304, "label": 200}


def test_answers_are_compressed_for_who_can_read_it(tmp_path):
    project = seen(tmp_path, n=300)
    plain = project.get("frame")
    short = project.get("frame", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert short.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in short.headers["Vary"]
    assert gzip.decompress(short.get_data()) == plain.get_data()
    assert len(short.get_data()) < len(plain.get_data())
    refused = project.get("frame", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_a_frame_shows_the_map_it_was_asked_for_or_the_nearest_there_is(tmp_path):
    project = seen(tmp_path, n=6)
    sketch = frame(project, "?locality=3")
    assert sketch[0]["map"] == {
        "locality": 3, "kind": "pca", "progress": 0.0, "state": "waiting for its turn",
    }  # fmt: skip
    project.fit_maps()
    told, columns = frame(project, "?locality=3")
    assert told["map"] == {"locality": 3, "kind": "umap", "progress": 1.0, "state": ""}
    ids, xy = project.store.maps.read(project.project_id, project.embedder_id, 3)
    assert ids.tolist() == project.task_ids
    assert columns["x"] == pytest.approx(xy[:, 0], abs=1e-4)
    assert columns["y"] == pytest.approx(xy[:, 1], abs=1e-4)
    standing = project.store.maps.standing(project.project_id, project.embedder_id)
    assert sorted(standing) == [PCA, DEFAULT, 3]  # nobody asked for the others


def test_a_locality_that_there_is_not_is_refused(tmp_path):
    project = seen(tmp_path, n=1)
    for locality in ("-1", "4", "1.5", "", "x"):
        assert project.get(f"frame?locality={locality}").status_code == 400


def test_the_clips_of_a_few_projects_are_held_and_no_more(tmp_path):
    store, made = SeenProject(tmp_path, n=2).store, []
    snapshots = Snapshots(store)
    for project_id in range(1, 10):
        while (snapshot := snapshots.current(project_id)) is None:
            pass
        made.append(weakref.ref(snapshot))
    del snapshot
    gc.collect()
    assert sum(one() is not None for one in made) == 4


def test_who_asks_for_what_takes_long_is_told_to_ask_again(tmp_path, monkeypatch):
    project = seen(tmp_path, n=2)
    read = project.place.store.sheets.__class__.read

    may_read = threading.Event()

    def slowly(*arguments):
        assert may_read.wait(60)
        return read(*arguments)

    monkeypatch.setattr(project.place.store.sheets.__class__, "read", slowly)
    with monkeypatch.context() as hurry:
        hurry.setattr(snapshots, "PATIENCE_S", 0.0)
        answer = project.client.get(f"/projects/{project.project_id}/frame", auth=BASIC)
    may_read.set()
    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["state"] == "The clips are being read."
    assert project.get("frame").status_code == 200


def test_a_column_is_never_of_other_clips_than_the_frame(tmp_path, monkeypatch):
    project = seen(
        tmp_path, n=3, data=[{"clip": f"{row}", "salience": 10 * row} for row in range(3)]
    )
    assert frame(project)[0]["n"] == 3
    make = snapshots.make_snapshot
    is_to_go_on = threading.Event()

    def late(*what):
        is_to_go_on.wait(10)
        return make(*what)

    monkeypatch.setattr(snapshots, "make_snapshot", late)
    del project.studio.tasks[project.task_ids[0]]
    project.studio.add_tasks(project.project_id, [{"audio": "/new.wav", "salience": 99}])
    project.follow()
    path = f"/projects/{project.project_id}/column?name=meta:salience"
    with monkeypatch.context() as hurry:
        hurry.setattr(snapshots, "PATIENCE_S", 0.0)
        meanwhile = project.client.get(path, auth=BASIC)
    is_to_go_on.set()
    assert (meanwhile.status_code, meanwhile.json["state"]) == (202, "The clips are being read.")
    assert project.column("meta:salience") == [10, 20, 99]


def test_what_no_encoding_writes_stops_neither_a_round_nor_a_page(tmp_path):
    project = SeenProject(tmp_path, n=6)
    spoilt = [
        {"recording_id": "r\ud800"},
        {"audio": "/data/\udfff.wav", "content_hash": "none"},
        {"place": "caf\ud800\0", "level_db": float("nan"), "n\ud800": 1},
        {"place": "street", "level_db": float("-inf"), "more": {"x": [float("inf")]}},
    ]
    for task_id, one in zip(project.task_ids, spoilt, strict=False):
        project.studio.tasks[task_id]["data"] |= one
    rows = [{"id": one, "data": project.studio.tasks[one]["data"]} for one in project.task_ids]
    reader = project.reconciler._reader._label_studio
    reader.tasks = lambda project_id: copy.deepcopy(rows)  # JSON as Python reads it
    project.follow()
    assert project.column("recording")[0] == "r?"
    assert project.column("meta:place")[2:4] == ["caf?", "street"]
    assert project.get("column?name=meta:n%3F").status_code == 200
    for task_id in project.task_ids:
        answer = project.get(f"clips/{task_id}")
        assert answer.status_code == 200
        assert not {"NaN", "Infinity"} & set(re.findall(r"\w+", answer.get_data(as_text=True)))
    stamp = project.store.facts.read(f"tasks of project {project.project_id}")
    project.follow()
    assert project.store.facts.read(f"tasks of project {project.project_id}") == stamp


def test_a_large_task_number_is_kept_exactly(tmp_path):
    project = SeenProject(tmp_path, n=0)
    from ml_backend.clip import Task

    project.store.clips.replace_tasks(project.project_id, [Task(2**40 + 1, "k", "/a.wav")])
    project.page_data.look(project.project_id)
    column = unpack(project.get("frame").get_data())[1]["task_id"]
    assert column.stored.tolist() == [2**40 + 1]


def test_the_keys_of_the_classes_are_those_of_the_label_config(tmp_path):
    project = SeenProject(tmp_path, n=4, classes=[f"class {n}" for n in range(12)], dim=24)
    project.follow()
    told, _ = project.read("frame")
    assert told["hotkeys"] == list("1234567890qw")
    other = project.studio.projects[project.project_id]
    other["label_config"] = other["label_config"].replace('hotkey="q"', 'hotkey="k"')
    before = told["revision"]
    project.follow()
    told, _ = project.read("frame")
    assert told["hotkeys"] == list("1234567890kw")
    assert told["revision"] != before, "open pages hear of it"
