"""What several tests share."""

from pathlib import Path

import pytest

from tests.browsing import chromium

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
