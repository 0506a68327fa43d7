"""Weights from a path of the user's, and from a release that a little HTTP server plays."""

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ml_backend.embedders import weights as weights_module
from ml_backend.embedders.weights import FILE_NAMES, find_weights, written_beside
from ml_backend.errors import WeightsError

WEIGHTS = b"the weights of a network" * 1000


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def release():
    """A server that gives ``release.files`` by name, counts, and can break off halfway."""

    class Release(BaseHTTPRequestHandler):
        def do_GET(self):
            server = self.server
            server.asked.append(self.path)
            if self.path.startswith("/release/"):
                self.send_response(302)
                self.send_header("Location", self.path.replace("/release/", "/storage/"))
                self.end_headers()
                return
            content = server.files.get(self.path.rpartition("/")[2])
            self.send_response(404 if content is None else 200)
            content = content or b"not found"
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if server.breaks_off else content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Release)
    server.files, server.asked, server.breaks_off = {}, [], False
    server.url = f"http://127.0.0.1:{server.server_port}/release"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pinned(monkeypatch):
    monkeypatch.setitem(weights_module.PINNED_SHA256, "mn04", sha256(WEIGHTS))


def test_a_file_of_the_user_s_is_taken_as_it_is(tmp_path):
    mine = tmp_path / "trained further.pt"
    mine.write_bytes(WEIGHTS)
    found = find_weights("mn04", mine, tmp_path / "cache")
    assert (found.path, found.sha256) == (mine, sha256(WEIGHTS))
    assert not (tmp_path / "cache").exists()


def test_in_a_folder_the_file_of_the_official_name_is_taken(tmp_path):
    (tmp_path / FILE_NAMES["mn10"]).write_bytes(WEIGHTS)
    assert find_weights("mn10", tmp_path, tmp_path).path == tmp_path / "mn10_as_mAP_471.pt"


def test_an_official_file_with_another_content_is_refused(tmp_path):
    damaged = tmp_path / FILE_NAMES["mn04"]
    damaged.write_bytes(WEIGHTS[:-1])
    with pytest.raises(WeightsError, match=r"sha256 [0-9a-f]{64}, wanted 899a8c62.*damaged.*Fetch"):
        find_weights("mn04", damaged, tmp_path)


@pytest.mark.parametrize("name", ["nothing.pt", "."])
def test_a_path_without_weights_is_refused_with_the_name_that_is_wanted(tmp_path, name):
    with pytest.raises(WeightsError, match=r"no such file.*EARMARK_WEIGHTS.*mn04_as_mAP_432\.pt"):
        find_weights("mn04", tmp_path / name, tmp_path)


def test_weights_are_downloaded_once(release, pinned, tmp_path):
    release.files[FILE_NAMES["mn04"]] = WEIGHTS
    cache = tmp_path / "new" / "cache"
    first = find_weights("mn04", None, cache, release.url)
    again = find_weights("mn04", None, cache, release.url)
    assert first == again
    assert first.path.read_bytes() == WEIGHTS
    assert release.asked == ["/release/mn04_as_mAP_432.pt", "/storage/mn04_as_mAP_432.pt"]


@pytest.mark.parametrize("name", ["mn04", "mn10"])
def test_a_cached_file_that_was_damaged_is_fetched_again(release, pinned, tmp_path, name):
    release.files[FILE_NAMES[name]] = WEIGHTS
    find_weights(name, None, tmp_path, release.url)
    (tmp_path / FILE_NAMES[name]).write_bytes(WEIGHTS[:100])
    found = find_weights(name, None, tmp_path, release.url)
    assert found.path.read_bytes() == WEIGHTS


def test_a_download_with_another_sha256_is_refused_and_not_kept(release, tmp_path):
    release.files[FILE_NAMES["mn04"]] = WEIGHTS
    with pytest.raises(WeightsError, match=rf"{sha256(WEIGHTS)}, wanted 899a8c62"):
        find_weights("mn04", None, tmp_path, release.url)
    assert list(tmp_path.iterdir()) == []


def test_weights_without_a_published_sha256_are_held_to_their_first_download(release, tmp_path):
    release.files[FILE_NAMES["mn10"]] = WEIGHTS
    path = find_weights("mn10", None, tmp_path, release.url).path
    path.unlink()
    release.files[FILE_NAMES["mn10"]] = b"something else"
    with pytest.raises(WeightsError, match=f"wanted {sha256(WEIGHTS)}"):
        find_weights("mn10", None, tmp_path, release.url)


def test_a_download_that_breaks_off_is_refused_and_not_kept(release, pinned, tmp_path):
    release.files[FILE_NAMES["mn10"]] = WEIGHTS
    release.breaks_off = True
    with pytest.raises(WeightsError, match="cannot be fetched"):
        find_weights("mn10", None, tmp_path, release.url)
    assert list(tmp_path.iterdir()) == []


def test_a_release_without_the_file_is_named_with_the_remedy(release, tmp_path):
    with pytest.raises(
        WeightsError, match=r"/mn04_as_mAP_432\.pt: answered 404.*let EARMARK_WEIGHTS name"
    ):
        find_weights("mn04", None, tmp_path, release.url)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_does_not_answer_is_named_with_the_remedy(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/release"
        with pytest.raises(WeightsError, match=r"127\.0\.0\.1.*cannot be fetched.*EARMARK_WEIGHTS"):
            find_weights("mn04", None, tmp_path, url)


def test_a_cache_that_cannot_be_made_is_named_with_the_remedy(release, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match=r"file/cache.*EARMARK_DATA"):
        find_weights("mn04", None, tmp_path / "file" / "cache", release.url)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    target = tmp_path / "kept"
    target.write_bytes(b"old")

    def break_off():
        with written_beside(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
