"""Audio is read from where it may be read, and from nowhere else."""

import httpx
import pytest

from ml_backend.errors import AudioError, LabelStudioUnreachableError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio import fetch as fetch_module
from ml_backend.label_studio.fetch import Fetcher

STUDIO = "http://studio.test:8080"
TOKEN = "a-legacy-token-of-forty-characters-here"


class Network:
    """Every host there is, and a record of who was asked with which token."""

    def __init__(self):
        self.asked = []
        self.files = {
            f"{STUDIO}/data/upload/1/a.wav": b"uploaded",
            f"{STUDIO}/data/local-files/?d=clips%2Fa.wav": b"served",
            "http://sounds.test/a.wav": b"elsewhere",
            "http://sounds.test:9000/a.wav": b"another port",
            "http://10.0.0.7/a.wav": b"private",
        }
        self.redirects = {}

    def __call__(self, request):
        url = str(request.url)
        self.asked.append((url, request.headers.get("authorization")))
        if url in self.redirects:
            return httpx.Response(302, headers={"location": self.redirects[url]})
        if url in self.files:
            return httpx.Response(200, content=self.files[url])
        return httpx.Response(404, json={"detail": "Not found."})


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def fetcher_of(network):
    def make(files_root=None, audio_hosts=("sounds.test",), **limits):
        transport = httpx.MockTransport(network)
        label_studio = LabelStudio(STUDIO, TOKEN, transport=transport)
        return Fetcher(label_studio, files_root, audio_hosts, transport=transport, **limits)

    return make


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "files"
    (folder / "clips").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a.wav", "a.wav"),
        ("a b.wav", "a%20b.wav"),
        ("a b.wav", "a+b.wav"),
        ("a&b#c%d.wav", "a%26b%23c%25d.wav"),
        ("Käuzchen.wav", "K%C3%A4uzchen.wav"),
        ("x" * 200 + ".wav", "x" * 200 + ".wav"),
    ],
)
def test_a_local_file_is_found_on_disk_whatever_its_name(fetcher_of, network, root, name, quoted):
    path = root / "clips" / name
    path.write_bytes(b"RIFF")
    for address in (
        f"/data/local-files/?d=clips/{quoted}",
        f"{STUDIO}/data/local-files/?d=clips/{quoted}",
    ):
        assert fetcher_of(root).fetch(address) == path
    assert network.asked == []


def test_without_a_root_a_local_file_comes_from_label_studio(fetcher_of):
    assert fetcher_of().fetch("/data/local-files/?d=clips%2Fa.wav") == b"served"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.wav",
        "%2e%2e/secret.wav",
        "clips/../../secret.wav",
        "clips/link.wav",
        "clips/away/secret.wav",
    ],
)
def test_no_path_leaves_its_root(fetcher_of, root, path):
    secret = root.parent / "secret.wav"
    secret.write_bytes(b"RIFF")
    (root / "clips" / "link.wav").symlink_to(secret)
    (root / "clips" / "away").symlink_to(root.parent)
    with pytest.raises(AudioError, match="leads out of the folder"):
        fetcher_of(root).fetch(f"/data/local-files/?d={path}")


def test_an_absolute_path_is_taken_from_the_root(fetcher_of, root):
    with pytest.raises(AudioError, match="no such file"):
        fetcher_of(root).fetch("/data/local-files/?d=/etc/passwd")


@pytest.mark.parametrize("path", ["clips/gone.wav", "clips"])
def test_a_missing_file_is_named(fetcher_of, root, path):
    with pytest.raises(AudioError, match=rf"{path}'.*no such file"):
        fetcher_of(root).fetch(f"/data/local-files/?d={path}")


@pytest.mark.parametrize("path", ["a%00b.wav", "x" * 5000])
def test_a_name_that_no_file_can_have_is_an_audio_error(fetcher_of, root, path):
    with pytest.raises(AudioError, match="no name for a file"):
        fetcher_of(root).fetch(f"/data/local-files/?d={path}")


@pytest.mark.parametrize("address", ["/data/upload/1/a.wav", f"{STUDIO}/data/upload/1/a.wav"])
def test_an_upload_comes_from_label_studio_with_the_token(fetcher_of, network, address):
    assert fetcher_of().fetch(address) == b"uploaded"
    assert network.asked == [(f"{STUDIO}/data/upload/1/a.wav", f"Token {TOKEN}")]


def test_a_missing_upload_is_named(fetcher_of):
    with pytest.raises(AudioError, match=r"/data/upload/1/gone\.wav'.*no such file"):
        fetcher_of().fetch("/data/upload/1/gone.wav")


def test_label_studio_being_down_says_nothing_about_the_clip(monkeypatch):
    monkeypatch.setattr("ml_backend.label_studio.connection.RETRY_PAUSES_S", ())

    def nobody(request):
        raise httpx.ConnectError("refused")

    label_studio = LabelStudio(STUDIO, TOKEN, transport=httpx.MockTransport(nobody))
    with pytest.raises(LabelStudioUnreachableError):
        Fetcher(label_studio, None, ()).fetch("/data/upload/1/a.wav")


@pytest.mark.parametrize("address", ["http://sounds.test/a.wav", "http://SOUNDS.test/a.wav"])
def test_an_allowed_host_is_asked_without_the_token(fetcher_of, network, address):
    assert fetcher_of().fetch(address) == b"elsewhere"
    assert [token for _, token in network.asked] == [None]


def test_a_host_may_be_allowed_on_one_port_only(fetcher_of):
    fetcher = fetcher_of(audio_hosts=("sounds.test:9000",))
    assert fetcher.fetch("http://sounds.test:9000/a.wav") == b"another port"
    with pytest.raises(AudioError, match="EARMARK_AUDIO_HOSTS"):
        fetcher.fetch("http://sounds.test/a.wav")


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://sounds.test/a.wav",
        "s3://bucket/a.wav",
        "data:audio/wav;base64,UklGRg==",
        "http://10.0.0.7/a.wav",
        "http://169.254.169.254/latest/meta-data",
        "http://sounds.test@10.0.0.7/a.wav",
        "http://sounds.test.evil.test/a.wav",
        "//evil.test/data/upload/1/a.wav",
        f"{STUDIO}@evil.test/data/upload/1/a.wav",
        "http://studio.test:9999/data/upload/1/a.wav",
        f"{STUDIO}/api/projects",
        "/api/projects",
        "/data/../api/projects",
        "/data/%2e%2e/api/projects",
        "/data/..\\api",
        "/logout",
        "clips/a.wav",
        "http://[::1",
        "http://",
        "\x00",
        "",
        None,
        7,
    ],
)
def test_everything_else_is_refused_and_nobody_is_asked(fetcher_of, network, address):
    with pytest.raises(AudioError):
        fetcher_of().fetch(address)
    assert network.asked == []


def test_a_refused_host_comes_with_the_remedy(fetcher_of):
    with pytest.raises(AudioError, match=r"http://10\.0\.0\.7/a\.wav.*EARMARK_AUDIO_HOSTS"):
        fetcher_of().fetch("http://10.0.0.7/a.wav")


def test_an_allowed_host_cannot_send_us_elsewhere(fetcher_of, network):
    network.redirects["http://sounds.test/b.wav"] = "http://10.0.0.7/a.wav"
    with pytest.raises(AudioError, match=r"not fetched from 10\.0\.0\.7"):
        fetcher_of().fetch("http://sounds.test/b.wav")
    assert [url for url, _ in network.asked] == ["http://sounds.test/b.wav"]


def test_label_studio_cannot_send_the_token_elsewhere(fetcher_of, network):
    network.redirects[f"{STUDIO}/data/upload/1/b.wav"] = "http://sounds.test/a.wav"
    with pytest.raises(AudioError, match="cannot be read"):
        fetcher_of().fetch("/data/upload/1/b.wav")
    assert len(network.asked) == 1


def test_a_redirect_on_the_same_host_is_followed(fetcher_of, network):
    network.redirects["http://sounds.test/b.wav"] = "/a.wav"
    network.redirects[f"{STUDIO}/tasks/1/resolve/?fileuri=x"] = "/data/upload/1/a.wav"
    assert fetcher_of().fetch("http://sounds.test/b.wav") == b"elsewhere"
    assert fetcher_of().fetch("/tasks/1/resolve/?fileuri=x") == b"uploaded"


def test_a_circle_of_redirects_ends(fetcher_of, network):
    network.redirects["http://sounds.test/b.wav"] = "/b.wav"
    with pytest.raises(AudioError, match="in a circle"):
        fetcher_of().fetch("http://sounds.test/b.wav")
    assert len(network.asked) < 6


@pytest.mark.parametrize("address", ["http://sounds.test/a.wav", "/data/upload/1/a.wav"])
def test_size_is_bounded(fetcher_of, address):
    with pytest.raises(AudioError, match="not read"):
        fetcher_of(max_bytes=5).fetch(address)


def test_time_is_bounded(fetcher_of, monkeypatch):
    monkeypatch.setattr(fetch_module, "MAX_FETCH_S", -1.0)
    with pytest.raises(AudioError, match="not read within"):
        fetcher_of().fetch("http://sounds.test/a.wav")


def test_a_host_that_fails_is_an_audio_error(fetcher_of):
    with pytest.raises(AudioError, match="answers 404"):
        fetcher_of().fetch("http://sounds.test/gone.wav")
