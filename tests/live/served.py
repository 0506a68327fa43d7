"""Earmark as a user runs it: `earmark serve` as a process of its own, and its other commands."""

import time

import httpx

from benchmarks.served import Served, is_ordered

LIMIT_S = 60.0
PAUSE_S = 0.3


class Earmark(Served):
    """A backend beside a Label Studio, and what tests wait for."""

    def set_up(self, title, *imported, n_clips, is_multi=False):
        """Make a project (siren or other) of imported clips, in their first order; give its number.

        ``imported`` is what ``import`` is told of the clips.
        """
        options = ["--multi"] if is_multi else []
        made = self.tell("setup", "--title", title, "--labels", "siren,other", *options)
        project_id = made["project_id"]
        self.tell("import", *imported, "--project", str(project_id))
        self.wait_for_order(project_id, n_clips)
        return project_id

    def wait_for(self, project_id, is_done, limit_s=LIMIT_S):
        """Wait until a project's status is as wanted; give it."""
        deadline = time.monotonic() + limit_s
        while True:
            status = self.backend.project(project_id)
            if status is not None and is_done(status):
                return status
            assert time.monotonic() < deadline, f"not in {limit_s} s: {status}"
            time.sleep(PAUSE_S)

    def wait_for_order(self, project_id, n_clips):
        """Wait until every clip is heard and the first order is published."""
        return self.wait_for(project_id, lambda status: is_ordered(status, n_clips))

    def wait_for_labels(self, project_id, n_labeled, n_skipped=0):
        """Wait until Label Studio's queue follows an order made from this many labels."""

        def is_done(status):
            counts = (status["n_labeled"], status["n_skipped"])
            return counts == (n_labeled, n_skipped) and not status["is_waiting"]

        status = self.wait_for(project_id, is_done)
        assert self.model_version(project_id) == status["model_version"]
        return status

    def model_version(self, project_id):
        return self.label_studio.project(project_id)["model_version"]

    def orders(self, project_id):
        """Give the order of each version as Label Studio holds it: lowest score first."""
        owner = {"Authorization": f"Token {self.studio.credentials.token}"}
        address = f"{self.studio.url}/api/predictions"
        query = {"project": project_id}
        predictions = httpx.get(address, params=query, headers=owner, timeout=60).json()
        found = {}
        for one in sorted(predictions, key=lambda one: one["score"]):
            found.setdefault(one["model_version"], []).append(one["task"])
        return found

    def order(self, project_id):
        """Give the order that Label Studio's queue follows now."""
        return self.orders(project_id)[self.model_version(project_id)]
