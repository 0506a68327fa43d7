"""A project that clips are pushed to, and ten sounds to push."""

import json

import httpx

from ml_backend.label_studio import LabelStudio
from tests.sounds import noise, write

PROJECT = 3


class Studio:
    """Keeps tasks and uploads like Label Studio; answers ``failure`` from a batch on."""

    def __init__(self):
        self.tasks = []
        self.uploads = {}
        self.n_batches = 0
        self.fails_at_batch = None
        self.failure = httpx.Response(500, json={"detail": "out of order"})

    def client(self):
        return LabelStudio("http://studio.test", "t" * 40, transport=httpx.MockTransport(self))

    def __call__(self, request):
        if request.url.path == "/api/tasks":
            return httpx.Response(200, json={"tasks": self.tasks, "total": len(self.tasks)})
        if "/import/file-upload/" in request.url.path:
            name = request.url.path.rpartition("/")[2]
            return httpx.Response(200, json={"file": f"upload/{PROJECT}/{name}-file"})
        assert request.url.path == f"/api/projects/{PROJECT}/import"
        if "commit_to_project" in request.url.params:
            self.uploads[len(self.uploads) + 1] = request.content
            return httpx.Response(201, json={"file_upload_ids": [len(self.uploads)]})
        self.n_batches += 1
        if self.fails_at_batch is not None and self.n_batches >= self.fails_at_batch:
            if isinstance(self.failure, Exception):
                raise self.failure
            return self.failure
        new = json.loads(request.content)
        for task in new:
            last = max((one["id"] for one in self.tasks), default=0)
            self.tasks.append({"id": last + 1, "data": task["data"]})
        return httpx.Response(201, json={"task_count": len(new)})

    @property
    def clips(self):
        return [task["data"]["clip"] for task in self.tasks]


def ten_sounds(folder):
    """Write ten recordings that differ, and give their folder."""
    for i in range(10):
        write(folder / f"{i}.wav", noise(0.1, seed=i))
    return folder
