"""Earmark as a user runs it: `earmark serve` as a process of its own, and its other commands."""

import json
import os
import subprocess
import sys
import time

import httpx

from importer.backend import Backend
from importer.ports import free_port
from ml_backend.settings import Settings

LIMIT_S = 60.0
START_LIMIT_S = 240.0
"""The first start of a backend exports a network, which loads torch."""
PAUSE_S = 0.3


class Earmark:
    """A backend of its own beside a Label Studio, with one environment for every command.

    ``label_studio`` is the client of the first user; ``settings`` are those of the backend.
    """

    def __init__(self, studio, folder, **environment):
        self.studio = studio
        self.label_studio = studio.client()
        self.log_path = folder / "earmark.log"
        self.environment = {
            "EARMARK_ENV_FILE": os.devnull,
            "EARMARK_DATA": str(folder / "data"),
            "EARMARK_PORT": str(free_port(0)),
            "EARMARK_FILES_ROOT": str(studio.files_root),
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.credentials.token,
            **environment,
        }
        self.settings = Settings.from_env(self.environment)
        self.backend = Backend(self.settings)
        self._process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()  # nobody else will
            raise
        return self

    def __exit__(self, *exception):
        self.stop()

    def start(self):
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("serve"), env=self._whole_environment(), stdout=log, stderr=log
            )
        self.backend.wait_until(
            lambda status: status["embedder"] is not None, self._is_alive, START_LIMIT_S
        )

    def stop(self):
        if self._is_alive():
            self._process.terminate()
        self._process.wait(30)

    def say(self, *arguments, **environment):
        """Run a command that must succeed; give what it says."""
        done = subprocess.run(
            self._command(*arguments),
            env=self._whole_environment() | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"earmark {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def tell(self, *arguments, **environment):
        """Run a command that must succeed; give the facts that it prints for scripts."""
        return json.loads(self.say(*arguments, "--json", **environment))

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
        return self.wait_for(
            project_id,
            lambda status: (
                status["n_embedded"] == n_clips
                and status["n_ranked"] == n_clips
                and status["n_published"] > 0
                and not status["is_waiting"]
            ),
        )

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

    def _is_alive(self):
        return self._process.poll() is None

    def _whole_environment(self):
        return {**os.environ, **self.environment, "COLUMNS": "200"}

    def _command(self, *arguments):
        return [sys.executable, "-m", "importer.cli", *arguments]


def join(studio, email):
    """Let another user join by the invitation link; give their token."""
    owner = {"Authorization": f"Token {studio.credentials.token}"}
    invitation = httpx.get(f"{studio.url}/api/invite", headers=owner).json()["token"]
    with httpx.Client(base_url=studio.url, follow_redirects=True, timeout=60) as browser:
        browser.get("/user/signup/", params={"token": invitation})
        form = {"email": email, "password": "second-password-1"}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post("/user/signup/", params={"token": invitation}, data=form)
        return browser.get("/api/current-user/token").json()["token"]
