"""The project that rounds are tried on."""

import pytest

from tests.street import Street


@pytest.fixture
def street(tmp_path):
    made = Street(tmp_path)
    yield made
    made.store.close()
