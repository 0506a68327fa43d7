"""The pages' files: kept by browsers for good, never from two releases, never from elsewhere."""

import re
import shutil
from urllib.parse import urljoin

import pytest

from ml_backend.web.pages import static_files
from tests.small_pool import SmallPool, create_small_app

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", re.IGNORECASE)


@pytest.fixture
def client():
    return create_small_app(SmallPool(3)).test_client()


def addresses(html):
    return re.findall(r'(?:src|href)="(/static/[^"]+)"', html)


def test_every_file_of_the_page_is_there_and_kept_for_good(client):
    found = addresses(client.get("/projects/1/map").get_data(as_text=True))
    assert len(found) > 5
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["Cache-Control"]


def imported():
    """Pairs of a script and a script that it imports, both relative to the static folder."""
    for path in static_files.STATIC_DIR.rglob("*.js"):
        name = path.relative_to(static_files.STATIC_DIR).as_posix()
        for address in re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8")):
            yield name, urljoin(name, address)


def test_all_that_modules_import_is_there(client):
    base = addresses(client.get("/projects/1/map").get_data(as_text=True))[0].rpartition("/")[0]
    for name, other in imported():
        answer = client.get(f"{base}/{other}")
        assert answer.status_code == 200, f"{name} imports {other}"
        assert answer.mimetype == "text/javascript"


def test_scripts_import_downwards():
    folders = ["data", "ui", "map", "inspector", "label", "panels", ""]  # lowest first; "": a page
    for name, other in imported():
        folder, others = (folders.index(one.rpartition("/")[0]) for one in (name, other))
        assert others <= folder, f"{name} imports {other}"


def test_a_page_of_an_earlier_release_is_served_but_asks_again(client):
    answer = client.get("/static/0000000000000000/map_page.js")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(
        "/static/0000000000000000/map_page.js", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "pages.py",
        "../pages.py",
        "..%2Fpages.py",
        "%2e%2e/app.py",
        "map/../../app.py",
        "nothing.js",
        "map",
        "",
    ],
)
def test_nothing_else_is_served(client, name):
    assert client.get(f"/static/now/{name}").status_code == 404


def test_the_addresses_change_with_any_file(tmp_path, monkeypatch):
    copy = shutil.copytree(static_files.STATIC_DIR, tmp_path / "static")
    monkeypatch.setattr(static_files, "STATIC_DIR", copy)
    before = static_files.static_digest()
    (copy / "map/palette.js").write_text("// another", encoding="utf-8")
    after = static_files.static_digest()
    (copy / "map/palette.js").rename(copy / "map/colors.js")
    assert len({before, after, static_files.static_digest()}) == 3


def test_titles_are_shown_as_text_and_nothing_runs_inline(client):
    html = client.get("/projects/1/map").get_data(as_text=True)
    assert "Street &lt;sounds&gt;" in html
    assert "<sounds>" not in html
    assert INLINE.findall(html) == []
