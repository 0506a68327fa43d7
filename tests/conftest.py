"""What several tests share."""

import gc
import uuid
from pathlib import Path

import pytest

from tests.browsing import chromium
from tests.fake_label_studio import TOKEN
from tests.postgres import create_database, postgres_server
from tests.visiting import OTHER_TOKEN, Place

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


gc.disable()  # what is collected stays until the end: looking through it for garbage is in vain


def pytest_collection_finish():
    """Let the garbage collector begin, and pass over all that is there already."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared():
    """The folder of real clips and real weights that lies beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared with real clips and weights")
    return SHARED


@pytest.fixture(scope="module")
def browser():
    """A Chromium for the tests of one module."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL server for the tests of one module."""
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request, tmp_path):
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'earmark.db'}"
    return create_database(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The backend beside a Label Studio in memory, for the tests of one module."""
    made = Place(tmp_path_factory.mktemp("files"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def ada(place):
    """The browser of the first user, who is signed in."""
    return place.browser(TOKEN)


@pytest.fixture(scope="module")
def bob(place):
    """The browser of another one."""
    return place.browser(OTHER_TOKEN)
