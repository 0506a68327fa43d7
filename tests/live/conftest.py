"""One real Label Studio for all live tests of a process, started from a prepared database.

Its first start takes about a minute of migrations, so the empty database is kept in pytest's
cache, per version of Label Studio, and copied.
"""

import fcntl
import itertools
import shutil
from pathlib import Path

import httpx
import pytest

from benchmarks.served import join
from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port
from ml_backend.label_studio import LabelStudio
from tests.live.served import Earmark

COMMAND = Path(__file__).resolve().parents[2] / ".venv-studio" / "bin" / "label-studio"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def studio(pytestconfig, tmp_path_factory):
    """An embedded Label Studio, running; ``studio.files_root`` is its document root."""
    if not COMMAND.is_file():
        pytest.skip("needs Label Studio in .venv-studio; run `make studio`")
    folder = tmp_path_factory.mktemp("studio")
    shutil.copytree(prepared_database(pytestconfig.cache.mkdir("earmark")), folder / "data")
    with Studio(
        folder / "data", command=COMMAND, files_root=folder / "files", port=free_port(0)
    ) as started:
        yield started


@pytest.fixture(scope="session")
def label_studio(studio):
    """A client with the token of its first user."""
    return studio.client()


@pytest.fixture(scope="session")
def api(studio):
    """What only tests ask of Label Studio, as its first user."""
    owner = {"Authorization": f"Token {studio.credentials.token}"}
    with httpx.Client(base_url=studio.url, headers=owner, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def personal_token(api):
    """A personal access token of the first user, who may have only one."""
    enabled = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
    api.post("/api/jwt/settings", json=enabled)
    return api.post("/api/token/").json()["token"]


@pytest.fixture(scope="session")
def earmark(studio, shared, tmp_path_factory):
    """The backend as `earmark serve` runs it, with mn04; it never falls quiet enough to tidy up."""
    environment = {
        "EARMARK_WEIGHTS": str(shared / "weights"),
        "EARMARK_HEAD_SIZE": "50",
        "EARMARK_QUIET_S": "3600",
    }
    with Earmark(studio, tmp_path_factory.mktemp("earmark"), **environment) as started:
        yield started


@pytest.fixture(scope="session")
def second_token(studio):
    """The token of another user, who joined by the invitation link."""
    return join(studio, "second@earmark.local")


@pytest.fixture(scope="session")
def second_annotator(studio, second_token):
    """A client with the token of that other user."""
    return LabelStudio(studio.url, second_token)


@pytest.fixture
def title(studio):
    """A title that no other project has; its projects are deleted after the test."""
    wanted = f"Test {next(_numbers)}"
    yield wanted
    client = studio.client()
    owner = {"Authorization": f"Token {studio.credentials.token}"}
    for project in client.projects():
        if project["title"] == wanted:
            address = f"{studio.url}/api/projects/{project['id']}/"
            httpx.delete(address, headers=owner, timeout=60)


def prepared_database(cache):
    (installed,) = COMMAND.parents[1].glob("lib/*/site-packages/label_studio-*.dist-info")
    prepared = cache / installed.stem
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # for whoever comes second, until it is there
        if not prepared.is_dir():
            new = cache / f"{installed.stem}-new"
            with Studio(new, command=COMMAND, port=free_port(0)) as first:
                pass
            first.data_dir.rename(prepared)
    return prepared
