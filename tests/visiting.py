"""A backend with visitors: two people whom a fake Label Studio knows, and their browsers."""

import re

from ml_backend.clip import Task, clip_key, told
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web import create_app
from tests.fake_label_studio import TOKEN, FakeLabelStudio

SECRET = "a secret of the tests"
BASIC = ("earmark", SECRET)
OTHER_TOKEN = "fedcba9876543210fedcba9876543210fedcba98"
AS_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Place:
    """A backend over a fake Label Studio; ``ada`` (user 1) and ``bob`` (user 2) may sign in."""

    def __init__(self, folder, **settings):
        self.studio = FakeLabelStudio()
        self.studio.add_user(OTHER_TOKEN, "bob@studio.test")
        self.studio.document_root = folder
        self.settings = Settings(
            data_dir=folder / "data",
            secret=SECRET,
            embedder="melstats",
            api_key=TOKEN,
            label_studio_url="http://studio.test",
            files_root=folder,
            **settings,
        )
        self.store = open_store(self.settings.store_url)
        self.app = create_app(self.settings, self.studio.client())

    def add_project(self, label_config, datas=(), *, storages=None):
        """Add a project with tasks that a round has read; give its number and theirs.

        ``storages`` are the folders that it serves local files from; all of them unless given.
        """
        project_id = self.studio.add_project(label_config)
        root = self.settings.files_root
        self.studio.storages[project_id] = [root] if storages is None else storages
        return project_id, self.add_tasks(project_id, datas)

    def add_tasks(self, project_id, datas):
        """Give a project tasks that a round has read, and none but these; give their numbers."""
        task_ids = self.studio.add_tasks(project_id, list(datas))
        tasks = [
            Task(
                task_id,
                clip_key(data, data["audio"]),
                data["audio"],
                data.get("recording_id"),
                told(data, "audio"),
            )
            for task_id, data in zip(task_ids, datas, strict=True)
        ]
        self.store.clips.replace_tasks(project_id, tasks)
        self.store.agenda.hint(project_id, now=1.0)
        return task_ids

    def browser(self, token=None):
        """Give a client, signed in with a token where one is given."""
        client = self.app.test_client()
        if token is not None:
            answer = sign_in(client, token)
            assert answer.status_code == 303, answer.get_data(as_text=True)
        return client


def sign_in(client, token, next_path="/projects", **headers):
    """Fill the form in and send it off."""
    page = client.get("/sign-in").get_data(as_text=True)
    proof = re.search(r'name="proof" value="([^"]+)"', page)[1]
    form = {"token": token, "next": next_path, "proof": proof}
    return client.post("/sign-in", data=form, headers={**AS_BROWSER, **headers})


def csrf(client):
    """Give the header that the pages of a signed-in client send with every change."""
    page = client.get("/projects", headers=AS_BROWSER).get_data(as_text=True)
    return {"X-Earmark-CSRF": re.search(r'name="csrf-token" content="([^"]+)"', page)[1]}
