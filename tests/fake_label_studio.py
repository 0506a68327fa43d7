"""A Label Studio in memory, for the true client: it keeps the rules that bend Earmark's design.

It knows its users by their tokens, gives local files only where a storage of a project that the
user sees holds them, and lists a task's annotations without the cancelled ones only where the real
one does. Its queue serves, of the unlabeled tasks with a prediction of the current version, the one
with the lowest score; a bulk of predictions with one unknown task is refused whole; a version
without predictions cannot become current. The live tests hold the real one to the same rules.
"""

import copy
import json
import os
import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from ml_backend.label_studio import LabelStudio

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef01234567"


class FakeLabelStudio:
    """Projects, tasks, annotations and predictions behind an ``httpx.MockTransport``."""

    def __init__(self):
        self.lock = threading.RLock()
        self.projects = {}
        self.tasks = {}
        self.annotations = {}
        self.predictions = []
        self.is_down = False
        self.is_broken = False
        self.breaks_at = None  # the end of a path
        self.calls = []
        self.n_tasks_read = 0  # where all of a project were asked for
        self.n_stale = {}  # task to the predictions that are counted and no longer there
        self.n_exports = 0  # of all annotations
        self.views = []
        self.drafts = {}  # task to the users who have one of it
        self.users = {TOKEN: {"id": 1, "email": "first@studio.test"}}
        self.locks = {}  # task to those who opened it
        self.fails_after = 0  # so many annotations are written and answered with 500
        self.files = {}  # path to content
        self.document_root = None
        self.storages = {}  # project to the folders of its local files
        self.hidden = set()  # (user, project): what this user may not see
        self._next_id = 0
        self._n_changes = 0

    def client(self, token=TOKEN):
        return LabelStudio("http://studio.test", token, transport=httpx.MockTransport(self._answer))

    def add_user(self, token, email):
        self.users[token] = {"id": 1 + len(self.users), "email": email}
        return self.users[token]["id"]

    # What a person does

    def add_project(self, label_config, **fields):
        project_id = self._new_id()
        self.projects[project_id] = {
            "id": project_id,
            "title": "Street",
            "label_config": label_config,
            "model_version": None,
            "maximum_annotations": 1,
            "sampling": "Uncertainty sampling",
            "show_collab_predictions": True,
            **fields,
        }
        return project_id

    def add_tasks(self, project_id, datas):
        ids = [self._new_id() for _ in datas]
        for task_id, data in zip(ids, datas, strict=True):
            self.tasks[task_id] = {"id": task_id, "project": project_id, "data": data}
            self._touch(task_id)
        return ids

    def delete_tasks(self, task_ids):
        """Delete tasks with all that belongs to them."""
        for task_id in task_ids:
            del self.tasks[task_id]
        of_tasks = self.annotations.items()
        self.annotations = {n: one for n, one in of_tasks if one["task"] in self.tasks}
        self.predictions[:] = [one for one in self.predictions if one["task"] in self.tasks]

    def annotate(self, task_id, *labels, by=1, skipped=False, control="sound", touch=True):
        annotation_id = self._new_id()
        value = {"choices": list(labels)}
        result = [
            {"from_name": control, "to_name": "audio", "type": "choices", "value": value, "id": "r"}
        ]
        self.annotations[annotation_id] = {
            "id": annotation_id,
            "task": task_id,
            "completed_by": by,
            "result": result if labels else [],
            "was_cancelled": skipped,
            "updated_at": f"2026-01-01T00:00:{annotation_id % 60:02d}Z",
            "created_at": f"2026-01-01T00:00:{annotation_id % 60:02d}Z",
        }
        if touch:
            self._touch(task_id)
        return annotation_id

    def change(self, annotation_id, *, choices=None, value=None, **fields):
        """Change an annotation's choices, its value as a whole, or other fields."""
        annotation = self.annotations[annotation_id]
        annotation.update(fields)
        if choices is not None or value is not None:
            annotation["result"][0]["value"] = value or {"choices": choices}
        self._touch(annotation["task"])

    def take_back(self, annotation_id):
        self._touch(self.annotations.pop(annotation_id)["task"])

    def queue(self, project_id):
        """The task numbers that the annotator will meet, first to last."""
        version = self.projects[project_id]["model_version"]
        done = {annotation["task"] for annotation in self.annotations.values()}
        scores = {}
        for prediction in self.predictions:
            task = self.tasks.get(prediction["task"])
            if (
                task is not None
                and task["project"] == project_id
                and prediction.get("model_version") == version
                and prediction["task"] not in done
            ):
                scores.setdefault(prediction["task"], prediction["score"])
        return sorted(scores, key=lambda task_id: (scores[task_id], task_id))

    def candidates(self, project_id, user):
        """The tasks one of which a user is served next, where a project has several annotators.

        Label Studio draws among those that others have begun, predicted or not; else it serves the
        task with the lowest score of the current version; else it draws among all.
        """
        n_wanted = self.projects[project_id]["maximum_annotations"]
        said = {task_id: [] for task_id, one in self.tasks.items() if one["project"] == project_id}
        for one in self.annotations.values():
            said.get(one["task"], []).append(one)
        n_others = {
            task_id: len(theirs)
            for task_id, theirs in said.items()
            if all(one["completed_by"] != user for one in theirs)
            and len({one["completed_by"] for one in theirs if not one["was_cancelled"]})
            < self._overlap(task_id)
        }
        most = max(n_others.values(), default=0)
        if n_wanted > 1 and most:
            return [task_id for task_id, n in n_others.items() if n == most]
        version = self.projects[project_id]["model_version"]
        scores = {
            one["task"]: one["score"]
            for one in self.predictions
            if one["model_version"] == version and one["task"] in n_others
        }
        return [min(scores, key=scores.get)] if scores else list(n_others)

    # What the client asks

    def _touch(self, task_id):
        """Note with a task that it, or an annotation of it, has changed: ten minutes a change."""
        self._n_changes += 1
        moment = EPOCH + self._n_changes * timedelta(minutes=10)
        if task_id in self.tasks:
            self.tasks[task_id]["updated_at"] = f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"

    def _new_id(self):
        with self.lock:
            self._next_id += 1
            return self._next_id

    def _answer(self, request):
        with self.lock:
            self.calls.append((request.method, request.url.path))
            if self.is_down:
                raise httpx.ConnectError("refused", request=request)
            token = request.headers.get("Authorization", "").removeprefix("Token ")
            if token not in self.users:
                return httpx.Response(401, json={"detail": "Invalid token."})
            breaks = self.breaks_at is not None and request.url.path.endswith(self.breaks_at)
            if self.is_broken or breaks:
                return httpx.Response(500, json={"detail": "out of order"})
            if request.url.path in self.files:
                return self._upload(request)
            for method, pattern, handler in _ROUTES:
                found = re.fullmatch(pattern, request.url.path.rstrip("/"))
                if found and request.method == method:
                    numbers = [int(number) for number in found.groups()]
                    return handler(self, request, *numbers)
            return httpx.Response(404, json={"detail": "Not found."})

    def _user(self, request):
        return self.users[request.headers["Authorization"].removeprefix("Token ")]

    def _upload(self, request):
        of_project = re.match(r"/data/upload/(\d+)/", request.url.path)
        if of_project and (self._user(request)["id"], int(of_project[1])) in self.hidden:
            return httpx.Response(403)
        return httpx.Response(200, content=self.files[request.url.path])

    def _local_file(self, request):
        asked = request.url.params.get_list("d")[-1].lstrip("/")
        path = Path(os.path.normpath(self.document_root / asked))
        me = self._user(request)["id"]
        is_shown = any(
            path.parent.is_relative_to(folder) and (me, project_id) not in self.hidden
            for project_id, folders in self.storages.items()
            for folder in folders
        )
        if not is_shown or not path.is_file():
            return httpx.Response(404)
        return httpx.Response(200, content=path.read_bytes())

    def _list_storages(self, request):
        folders = self.storages.get(int(request.url.params["project"]), [])
        return httpx.Response(200, json=[{"path": str(folder)} for folder in folders])

    def _whoami(self, request):
        return httpx.Response(200, json=self._user(request))

    def _list_projects(self, request):
        me = self._user(request)["id"]
        rows = [one for one in self.projects.values() if (me, one["id"]) not in self.hidden]
        return httpx.Response(200, json={"count": len(rows), "results": rows})

    def _project(self, request, project_id):
        is_hidden = (self._user(request)["id"], project_id) in self.hidden
        if project_id not in self.projects or is_hidden:
            return httpx.Response(404, json={"detail": "No Project matches the given query."})
        project = self.projects[project_id]
        if request.method == "PATCH":
            fields = json.loads(request.content)
            version = fields.get("model_version")
            if version and all(one.get("model_version") != version for one in self.predictions):
                return httpx.Response(400, json={"detail": "Model version doesn't exist"})
            project.update(fields)
        n_tasks = sum(task["project"] == project_id for task in self.tasks.values())
        return httpx.Response(200, json={**project, "task_number": n_tasks})

    def _users(self, request):
        ids = {one["completed_by"] for one in self.annotations.values()} | {1}
        users = [
            {"id": n, "email": f"user{n}@studio.test", "first_name": "", "last_name": ""}
            for n in ids
        ]
        return httpx.Response(200, json=users)

    def _tasks(self, request):
        project_id = int(request.url.params["project"])
        rows = [task for task in self.tasks.values() if task["project"] == project_id]
        if "query" in request.url.params:
            (among,) = json.loads(request.url.params["query"])["filters"]["items"]
            is_wanted = _CONDITIONS[among["filter"], among["operator"]]
            rows = [row for row in rows if is_wanted(row, among["value"])]
        else:
            self.n_tasks_read += len(rows)
        if "predictions_model_versions" in request.url.params.get("include", ""):
            rows = [{**row, **self._predicted(row["id"])} for row in rows]
        if "annotators" in request.url.params.get("include", ""):
            rows = [{**row, "annotators": self._annotators(row["id"])} for row in rows]
        if "predictions" in request.url.params.get("include", "").split(","):
            rows = [{**row, "predictions": self._predictions_of(row["id"])} for row in rows]
        included = request.url.params.get("include", "").split(",")
        if "annotations" in included:  # of them only what is included, too
            rows = [
                {
                    **row,
                    "annotations": [
                        {name: one[name] for name in included if name in one}
                        for one in self._said(row["id"])
                    ],
                }
                for row in rows
            ]
        return httpx.Response(200, json={"tasks": rows, "total": len(rows)})

    def _said(self, task_id):
        return [one for one in self.annotations.values() if one["task"] == task_id]

    def _annotators(self, task_id):
        said = self._said(task_id)
        return sorted({one["completed_by"] for one in said})

    def _predictions_of(self, task_id):
        found = [one for one in self.predictions if one["task"] == task_id]
        return [{**one, "model_version": one.get("model_version")} for one in found]

    def _predicted(self, task_id):
        """As SQLite tells it: names once, null is left out of them, but counted."""
        versions = [one["model_version"] for one in self._predictions_of(task_id)]
        names = ",".join({name for name in versions if name is not None})
        n_stale = self.n_stale.get(task_id, 0)
        return {"predictions_model_versions": names, "total_predictions": len(versions) + n_stale}

    def _act(self, request):
        body = json.loads(request.content)
        assert body["selectedItems"]["all"] is False
        chosen = body["selectedItems"]["included"]
        assert chosen  # no selection means every task
        if request.url.params["id"] == "next_task":
            return self._take(self._user(request)["id"], *chosen)
        if request.url.params["id"] == "delete_tasks_predictions":
            self.predictions[:] = [one for one in self.predictions if one["task"] not in chosen]
        elif request.url.params["id"] == "propagate_annotations":
            source = self.annotations[body["source_annotation_id"]]
            for task_id in sorted(set(chosen) & self.tasks.keys() - {source["task"]}):
                made = self.annotate(task_id, by=self._user(request)["id"], touch=False)
                said = {"result": source["result"], "parent_annotation": source["id"]}
                self.annotations[made].update(copy.deepcopy(said))
        elif request.url.params["id"] == "delete_tasks_annotations":
            whose = int(body["annotator"])
            for number, one in list(self.annotations.items()):
                if one["task"] in chosen and one["completed_by"] == whose:
                    self.take_back(number)
            self.drafts = {
                task_id: [user for user in users if task_id not in chosen or user != whose]
                for task_id, users in self.drafts.items()
            }
        else:
            assert request.url.params["id"] == "add_data_field"
            for task_id in set(chosen) & self.tasks.keys():
                data = self.tasks[task_id]["data"]
                self.tasks[task_id]["data"] = {**data, body["value_name"]: body["value"]}
        return httpx.Response(200, json={})

    def _overlap(self, task_id):
        """How many are to answer a task: what its project wants, or what was written into it."""
        task = self.tasks[task_id]
        return task.get("overlap") or self.projects[task["project"]]["maximum_annotations"]

    def _take(self, user, task_id):
        """Serve a chosen task, and lock it; serve it all the same where others have it."""
        said = self._said(task_id)
        n_wanted = self._overlap(task_id)
        if len(said) >= n_wanted or user in {one["completed_by"] for one in said}:
            return httpx.Response(404, json={"detail": "There are no tasks"})
        holders = self.locks.setdefault(task_id, set())
        if len(holders) < n_wanted:
            holders.add(user)
        lock_id = "a lock" if user in holders else None
        return httpx.Response(200, json={**self.tasks[task_id], "unique_lock_id": lock_id})

    def _versions(self, request, project_id):
        mine = [
            one for one in self.predictions
            if self.tasks.get(one["task"], {}).get("project") == project_id
        ]  # fmt: skip
        return httpx.Response(200, json=Counter(one["model_version"] for one in mine))

    def _task(self, request, task_id):
        if task_id not in self.tasks:
            return httpx.Response(404, json={"detail": "No Task matches the given query."})
        if request.method == "PATCH":
            fields = json.loads(request.content)
            # A task that counts as labeled is served to nobody, whatever its overlap.
            if fields.get("is_labeled") is False:
                self.tasks[task_id]["overlap"] = fields["overlap"]
            elif fields.get("is_labeled"):
                self.tasks[task_id].pop("overlap", None)
            return httpx.Response(200, json=self.tasks[task_id])
        said = self._said(task_id)
        shown = [{**one, "completed_by": {"id": one["completed_by"]}} for one in said]
        return httpx.Response(200, json={**self.tasks[task_id], "annotations": shown})

    def _annotate(self, request, task_id):
        if task_id not in self.tasks:
            return httpx.Response(404, json={"detail": "No Task matches the given query."})
        body = json.loads(request.content)
        if self.tasks[task_id].get("is_locked"):
            return httpx.Response(403, json={"detail": "You do not have permission."})
        made = self.annotate(
            task_id, by=self._user(request)["id"], skipped=bool(body.get("was_cancelled"))
        )
        self.annotations[made]["result"] = body["result"]
        self.locks.get(task_id, set()).discard(self._user(request)["id"])
        if self.fails_after:  # it wrote, and then failed on its way
            self.fails_after -= 1
            return httpx.Response(500, json={"detail": "database is locked"})
        return httpx.Response(201, json=self.annotations[made])

    def _annotation(self, request, annotation_id):
        if annotation_id not in self.annotations:
            return httpx.Response(404, json={"detail": "No Annotation matches the given query."})
        if request.method == "DELETE":
            self.take_back(annotation_id)
            return httpx.Response(204)
        if request.method == "PATCH":
            self.change(annotation_id, **json.loads(request.content))
        return httpx.Response(200, json=self.annotations[annotation_id])

    def _import(self, request, project_id):
        ids = self.add_tasks(project_id, [task["data"] for task in json.loads(request.content)])
        return httpx.Response(201, json={"task_count": len(ids)})

    def _export(self, request, project_id):
        rows = []
        wanted = [int(number) for number in request.url.params.get_list("ids[]")]
        self.n_exports += not wanted
        for task_id, task in self.tasks.items():
            if wanted and task_id not in wanted:
                continue
            said = self._said(task_id)
            if said and task["project"] == project_id:
                rows.append(
                    {
                        **task,
                        "annotations": said,
                        "predictions": [],
                        "drafts": self.drafts.get(task_id, []),
                    }
                )
        return httpx.Response(200, json=rows)

    def _predictions(self, request, project_id):
        given = json.loads(request.content)
        unknown = [one for one in given if one["task"] not in self.tasks]
        if unknown:
            where = f"task ID {unknown[0]['task']} not found in project Project"
            said = [f'{unknown[0]} contains invalid "task" field: {where}']
            wrong = {"detail": "Validation error", "validation_errors": {"non_field_errors": said}}
            return httpx.Response(400, json=wrong)
        self.predictions.extend(given)
        return httpx.Response(201, json={"created": len(given)})

    def _views(self, request):
        if request.method == "POST":
            self.views.append({"id": self._new_id(), **json.loads(request.content)})
            return httpx.Response(201, json=self.views[-1])
        project_id = int(request.url.params["project"])
        return httpx.Response(200, json=[v for v in self.views if v["project"] == project_id])

    def _delete_version(self, request, project_id):
        version = json.loads(request.content)["model_version"]
        if self.projects[project_id]["model_version"] == version:
            self.projects[project_id]["model_version"] = None
        kept = [
            one
            for one in self.predictions
            if one["model_version"] != version
            or self.tasks.get(one["task"], {}).get("project") != project_id
        ]
        n_deleted = len(self.predictions) - len(kept)
        self.predictions[:] = kept
        return httpx.Response(200, json={"deleted_predictions": n_deleted})


_CONDITIONS = {
    ("filter:tasks:id", "in_list"): lambda row, value: row["id"] in value,
    ("filter:tasks:updated_at", "greater"): lambda row, value: row["updated_at"] > value,
}
_ROUTES = [
    ("GET", r"/api/users", FakeLabelStudio._users),
    ("GET", r"/api/current-user/whoami", FakeLabelStudio._whoami),
    ("GET", r"/.*data/local-files", FakeLabelStudio._local_file),  # anywhere, as there
    ("GET", r"/api/storages/localfiles", FakeLabelStudio._list_storages),
    ("GET", r"/api/projects", FakeLabelStudio._list_projects),
    ("GET", r"/api/projects/(\d+)", FakeLabelStudio._project),
    ("PATCH", r"/api/projects/(\d+)", FakeLabelStudio._project),
    ("GET", r"/api/tasks", FakeLabelStudio._tasks),
    ("GET", r"/api/tasks/(\d+)", FakeLabelStudio._task),
    ("PATCH", r"/api/tasks/(\d+)", FakeLabelStudio._task),
    ("POST", r"/api/tasks/(\d+)/annotations", FakeLabelStudio._annotate),
    ("GET", r"/api/annotations/(\d+)", FakeLabelStudio._annotation),
    ("PATCH", r"/api/annotations/(\d+)", FakeLabelStudio._annotation),
    ("DELETE", r"/api/annotations/(\d+)", FakeLabelStudio._annotation),
    ("GET", r"/api/projects/(\d+)/export", FakeLabelStudio._export),
    ("POST", r"/api/projects/(\d+)/import", FakeLabelStudio._import),
    ("POST", r"/api/projects/(\d+)/import/predictions", FakeLabelStudio._predictions),
    ("GET", r"/api/dm/views", FakeLabelStudio._views),
    ("POST", r"/api/dm/views", FakeLabelStudio._views),
    ("DELETE", r"/api/projects/(\d+)/model-versions", FakeLabelStudio._delete_version),
    ("GET", r"/api/projects/(\d+)/model-versions", FakeLabelStudio._versions),
    ("POST", r"/api/dm/actions", FakeLabelStudio._act),
]
