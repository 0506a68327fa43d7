"""What the progress page tells of a real Label Studio, and the way back to an earlier version."""

import csv

import httpx
import pytest

from ml_backend.label_studio.credentials import USER
from ml_backend.learning.round_input import learned_version
from ml_backend.settings import read_secret

pytestmark = pytest.mark.live

N_CLIPS = 40


def test_an_earlier_version_is_served_to_annotators_until_it_is_let_go(
    earmark, studio, label_studio, second_annotator, title, shared, tmp_path
):
    root = shared / "data" / "us8k_dev"
    with (root / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sirens = [row for row in rows if row["label"] == "siren"][: N_CLIPS // 2]
    chosen = sirens + [row for row in rows if row["label"] != "siren"][: N_CLIPS // 2]
    with (tmp_path / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=chosen[0])
        writer.writeheader()
        writer.writerows(chosen)
    is_siren = {row["file"].rpartition("/")[2] for row in sirens}
    project_id = earmark.set_up(title, tmp_path / "clips.csv", "--root", root, n_clips=N_CLIPS)

    given = []

    def answer(annotator, n, is_right=True):
        for _ in range(n):
            task = annotator.next_task(project_id)
            kind = "siren" if (task["data"]["clip"] in is_siren) == is_right else "other"
            value = {"choices": [kind]}
            said = {"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}
            given.append(annotator.annotate(task["id"], [said]))

    def ask(method, path, **how):
        address = f"{earmark.settings.backend_url}/projects/{project_id}{path}"
        auth = (USER, read_secret(earmark.settings))
        answered = httpx.request(method, address, auth=auth, timeout=60, **how)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def pin(model_version):
        assert (
            ask("POST", "/version", json={"model_version": model_version})["pinned"]
            == model_version
        )
        return earmark.wait_for(project_id, lambda status: not status["is_waiting"])

    answer(label_studio, 8)
    good = earmark.wait_for_labels(project_id, 8)["model_version"]
    answer(second_annotator, 6, is_right=False)
    bad = earmark.wait_for_labels(project_id, 14)["model_version"]

    told = ask("GET", "/progress")
    by_name = {one["name"]: one["n_clips"] for one in told["annotators"]}
    assert by_name == {studio.credentials.username: 8, "second@earmark.local": 6}
    names = [one["model_version"] for one in told["versions"]]
    assert names[0] == bad
    assert good in names

    pin(good)
    assert learned_version(earmark.model_version(project_id)) == good
    task = label_studio.next_task(project_id)
    assert task["id"] == earmark.order(project_id)[0]
    assert learned_version(task["predictions"][-1]["model_version"]) == good
    answer(label_studio, 1)
    earmark.wait_for_labels(project_id, 15)
    assert learned_version(earmark.model_version(project_id)) == good
    pin(None)
    assert earmark.model_version(project_id).startswith("earmark-15-")

    # The wrong labels are deleted: what is shown is true of those that are left.
    for annotation in given[8:14]:
        label_studio.delete_annotation(annotation["id"])
    earmark.wait_for_labels(project_id, 9)
    earmark.wait_for(
        project_id,
        lambda status: status["accuracy"] and status["accuracy"]["n_labeled"] == 9,
    )
    told = ask("GET", "/progress")
    assert [one["is_current"] for one in told["versions"]].count(True) == 1
    assert told["versions"][0]["model_version"] == told["model_version"]
    assert all(one["n_labeled"] <= 9 for one in told["accuracy"]["curve"])
    assert max(one["n_labeled"] for one in told["accuracy"]["history"]) > 9
