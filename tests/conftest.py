"""What several tests share."""

import uuid
from pathlib import Path

import pytest

from tests.browsing import chromium
from tests.postgres import create_database, postgres_server

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


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
