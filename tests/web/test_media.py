"""What a clip sounds and looks like: whole, in parts, small, and never what is no clip."""

import copy
import io
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ml_backend.audio.spectrogram import MAGMA, render_spectrogram
from ml_backend.audio.thumbnail import shrink
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.web import create_app
from ml_backend.web.api.media import audio_type
from ml_backend.web.snapshot import media_library
from ml_backend.web.snapshot.byte_cache import Shelf
from tests.counting import peak_mb
from tests.fake_label_studio import TOKEN
from tests.sounds import noise, tone, write, write_m4a
from tests.visiting import Place

CONFIG = label_config_xml(("siren", "other"), multi_label=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("files"))
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch):
    monkeypatch.setattr(media_library, "PATIENCE_S", 20.0)


@pytest.fixture(scope="module")
def ada(place):
    return place.browser(TOKEN)


@pytest.fixture
def folder(place, tmp_path):
    """A folder of this test's own, below the document root; addresses begin with its name."""
    made = place.settings.files_root / tmp_path.name
    made.mkdir()
    return made


@pytest.fixture
def local(folder):
    return f"/data/local-files/?d={folder.name}/"


@pytest.fixture
def look(place, ada):
    """Add a clip with these addresses, and give a function that asks for its media."""

    def look(**data):
        project_id, (task_id,) = place.add_project(CONFIG, [data])

        def get(what, **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return ada.get(f"/projects/{project_id}/clips/{task_id}/{what}", headers=headers)

        return get

    return look


@pytest.fixture
def clip(folder, local, look):
    """A clip on disk, 1 s of noise, and its bytes."""
    path = write(folder / "clips/a b.wav", noise(1.0))
    return look(audio=f"{local}clips/a%20b.wav"), path.read_bytes()


# --- audio ---


def test_the_whole_of_a_clip_is_sent(clip):
    get, content = clip
    answer = get("audio")
    assert (answer.status_code, answer.data) == (200, content)
    assert answer.mimetype == "audio/wav"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.content_length == len(content)
    assert "private" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=1000-99999999", 1000, None),
        ("bytes=-5", -5, None),
    ],
)
@pytest.mark.parametrize("is_local", [True, False])
def test_a_part_is_sent_where_a_part_is_asked_for(place, clip, look, asked, start, stop, is_local):
    get, content = clip
    if not is_local:
        place.studio.files["/data/upload/1/a.wav"] = content
        get = look(audio="/data/upload/1/a.wav")
    answer = get("audio", Range=asked)
    wanted = content[start:stop]
    first = content.index(wanted) if start >= 0 else len(content) + start
    assert (answer.status_code, answer.data) == (206, wanted)
    assert answer.headers["Content-Range"] == (
        f"bytes {first}-{first + len(wanted) - 1}/{len(content)}"
    )


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=-0", "bytes=5-2"])
def test_a_part_that_there_is_not_is_refused_with_the_size(clip, asked):
    get, content = clip
    answer = get("audio", Range=asked)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"
    assert len(answer.data) < 500


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,4-5",
        "seconds=0-1",
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=-99999999",
        "",
        f"bytes=-{'9' * 4301}",
        f"bytes={'9' * 4301}-",
    ],
)
def test_a_range_that_nobody_has_to_understand_is_passed_over(clip, asked):
    get, content = clip
    answer = get("audio", Range=asked)
    assert (answer.status_code, answer.data) == (200, content)


def test_what_the_browser_has_is_not_sent_again(clip):
    get, content = clip
    etag = get("audio").headers["ETag"]
    assert get("audio", If_None_Match=etag).status_code == 304
    assert get("audio", Range="bytes=0-3", If_Range=etag).data == content[:4]
    assert get("audio", Range="bytes=0-3", If_Range='"older"').data == content


def test_a_file_is_not_read_into_memory(folder, local, look):
    path = folder / "long.wav"
    write(path, noise(0.1))
    with path.open("r+b") as file:
        file.truncate(2 << 30)
    get = look(audio=f"{local}long.wav")
    tail, answers = f"bytes={(2 << 30) - 4}-", []
    assert peak_mb(lambda: answers.append(get("audio", Range=tail))) < 50
    assert answers[0].data == b"\0\0\0\0"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.wav", "audio/wav"), ("a.flac", "audio/flac"), ("a.ogg", "audio/ogg"),
     ("a.mp3", "audio/mpeg"), ("a.aiff", "audio/aiff"), ("a.m4a", "audio/mp4")],
)  # fmt: skip
def test_the_type_of_a_sound_is_read_from_the_sound(tmp_path, name, kind):
    path = tmp_path / name
    if name == "a.m4a":
        write_m4a(path, tone(0.5), 16_000)
    else:
        write(path, tone(0.5))
    assert audio_type(path.read_bytes()[:16]) == kind


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"<html><script>alert(1)</script>", b"<svg onload=alert(1)>", b"%PDF-1.7",
     b"LABEL_STUDIO_API_KEY=secret\n", b"RIFF\x24\0\0\0WEBPVP8 "],
)  # fmt: skip
@pytest.mark.parametrize("what", ["audio", "spectrogram", "thumbnail"])
def test_what_is_no_sound_is_not_passed_on(folder, local, look, content, what):
    (folder / "a.wav").write_bytes(content)
    answer = look(audio=f"{local}a.wav", spectrogram=f"{local}a.wav")(what)
    assert answer.status_code in (404, 415)
    assert answer.mimetype == "application/json"
    assert b"secret" not in answer.data


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=../secret.wav",
        "/data/local-files/?d=clips/../../secret.wav",
        "/data/local-files/?d=%2e%2e/secret.wav",
        "/data/local-files/?d=/../secret.wav",
        "/data/local-files/?d=link.wav",
        "file:///etc/passwd",
        "/etc/passwd",
        "/data/../../etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://elsewhere.test/a.wav",
        "//elsewhere.test/a.wav",
        "",
    ],
)
def test_no_address_leads_out_of_what_may_be_read(tmp_path_factory, address):
    outside = tmp_path_factory.mktemp("outside")
    inside = outside / "files"
    write(outside / "secret.wav", noise(0.1))
    inside.mkdir()
    (inside / "link.wav").symlink_to(outside / "secret.wav")
    place = Place(inside)
    project_id, (task_id,) = place.add_project(CONFIG, [{"audio": address, "spectrogram": address}])
    ada = place.browser(TOKEN)
    for what in ("audio", "spectrogram", "thumbnail"):
        answer = ada.get(f"/projects/{project_id}/clips/{task_id}/{what}")
        assert answer.status_code == 404
        assert answer.mimetype == "application/json"
    place.store.close()


@pytest.mark.parametrize("task", ["99999", "0", "9" * 30, "../1", "1%2f..%2f2", "-1", "x"])
def test_a_clip_of_no_or_another_project_is_not_there(place, ada, task):
    place.add_project(CONFIG, [{"audio": "/data/upload/1/a.wav"}])
    other, _ = place.add_project(CONFIG)
    answer = ada.get(f"/projects/{other}/clips/{task}/audio")
    assert answer.status_code == 404


def test_a_clip_of_another_project_is_not_reached_through_ones_own(place, ada):
    _, (task_id,) = place.add_project(CONFIG, [{"audio": "/data/upload/1/a.wav"}])
    mine, _ = place.add_project(CONFIG)
    assert ada.get(f"/projects/{mine}/clips/{task_id}/audio").status_code == 404


def test_an_upload_is_fetched_once_with_the_backends_token_and_kept(place, ada, tmp_path):
    project_id, _ = place.add_project(CONFIG)
    address = f"/data/upload/{project_id}/once.wav"
    place.studio.files[address] = content = write(tmp_path / "a.wav").read_bytes()
    (task_id,) = place.add_tasks(project_id, [{"audio": address}])
    for _ in range(3):
        assert ada.get(f"/projects/{project_id}/clips/{task_id}/audio").data == content
    assert [path for _, path in place.studio.calls].count(address) == 1


def test_an_upload_that_is_too_large_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(media_library, "MAX_FETCHED_BYTES", 100)
    place = Place(tmp_path / "small")
    place.studio.files["/data/upload/1/a.wav"] = write(tmp_path / "a.wav").read_bytes()
    project_id, (task_id,) = place.add_project(CONFIG, [{"audio": "/data/upload/1/a.wav"}])
    answer = place.browser(TOKEN).get(f"/projects/{project_id}/clips/{task_id}/audio")
    assert answer.status_code == 404
    assert "larger than" in answer.get_json()["error"]
    place.store.close()


# --- pictures ---


def picture_of(answer):
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    return Image.open(io.BytesIO(answer.data))


def test_the_prepared_spectrogram_is_shown_as_it_is(folder, local, look):
    write(folder / "a.wav", noise(0.5))
    prepared = render_spectrogram(tone(0.5)[:, 0], 16_000)
    (folder / "a.png").write_bytes(prepared)
    get = look(audio=f"{local}a.wav", spectrogram=f"{local}a.png")
    answer = get("spectrogram")
    assert answer.data == prepared
    assert get("spectrogram", If_None_Match=answer.headers["ETag"]).status_code == 304


@pytest.mark.parametrize("prepared", [None, "missing.png", "a.wav", 7, "picture.gif"])
def test_a_clip_without_a_prepared_spectrogram_is_drawn(folder, local, look, prepared):
    write(folder / "a.wav", noise(0.5), subtype="FLOAT")
    Image.new("L", (9, 9)).save(folder / "picture.gif")
    address = f"{local}{prepared}" if isinstance(prepared, str) else prepared
    get = look(audio=f"{local}a.wav", spectrogram=address)
    assert get("spectrogram").data == render_spectrogram(noise(0.5)[:, 0], 16_000)
    assert picture_of(get("thumbnail")).size == (160, 60)


@pytest.mark.parametrize("what", ["spectrogram", "thumbnail"])
def test_a_picture_that_takes_long_is_there_when_asked_for_again(
    folder, local, look, monkeypatch, what
):
    """A request holds one of few threads, and Label Studio waits for them, too."""
    monkeypatch.setattr(media_library, "PATIENCE_S", 0.0)
    write(folder / "a.wav", noise(20.0))
    get = look(audio=f"{local}a.wav")
    first = get(what)
    assert first.status_code == 503
    assert first.headers["Retry-After"] == "1"
    deadline = time.monotonic() + 20
    while (answer := get(what)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.mimetype == "image/png"


def test_pictures_that_nobody_comes_back_for_stand_in_nobodys_way(folder, local, look, monkeypatch):
    monkeypatch.setattr(media_library, "PATIENCE_S", 0.0)
    monkeypatch.setattr(media_library, "_N_WAITING", 1)
    write(folder / "broken.wav", noise(0.1)).write_bytes(b"RIFF....WAVE")
    assert look(audio=f"{local}broken.wav")("spectrogram").status_code == 503
    write(folder / "a.wav", noise(0.1))
    get = look(audio=f"{local}a.wav")
    monkeypatch.setattr(media_library, "PATIENCE_S", 5.0)
    deadline = time.monotonic() + 20
    while (answer := get("spectrogram")).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.status_code == 200


def test_a_thumbnail_is_small_kept_and_not_sent_twice(folder, local, look):
    write(folder / "a.wav", noise(4.0, sample_rate_hz=22_050), sample_rate_hz=22_050)
    get = look(audio=f"{local}a.wav")
    first = get("thumbnail")
    assert picture_of(first).size == (160, 60)
    assert len(first.data) < 10_000
    (folder / "a.wav").unlink()
    assert get("thumbnail").data == first.data
    answer = get("thumbnail", If_None_Match=first.headers["ETag"])
    assert (answer.status_code, answer.data) == (304, b"")
    assert "private" in answer.headers["Cache-Control"]


def test_a_thumbnail_that_the_browser_has_is_not_made_again(place, folder, local, look):
    write(folder / "a.wav", noise(0.5))
    first = look(audio=f"{local}a.wav")("thumbnail")
    (folder / "a.wav").unlink()
    place_again = copy.copy(place)
    place_again.app = create_app(place.settings, place.studio.client())  # it has made nothing yet
    client = place_again.browser(TOKEN)
    assert client.get(first.request.path).status_code == 404
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get(first.request.path, headers=known).status_code == 304


def test_a_thumbnail_shows_what_the_spectrogram_shows():
    """A low tone, then a high one: bright below on the left, above on the right."""
    sound = np.concatenate([tone(1.0, hz=300.0), tone(1.0, hz=6000.0)])[:, 0]
    image = Image.open(io.BytesIO(shrink(render_spectrogram(sound, 16_000))))
    brightness = np.asarray(image.convert("L"), dtype=float)  # (60, 160)
    upper, lower = brightness[:30], brightness[30:]
    assert lower[:, 10:70].max() > upper[:, 10:70].max() + 50
    assert upper[:, 90:150].max() > lower[:, 90:150].max() + 50
    assert list(MAGMA[0]) in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_somebody_elses_picture_is_not_taken_for_a_spectrogram(mode):
    file = io.BytesIO()
    Image.new(mode, (1200, 220)).save(file, "PNG")
    assert shrink(file.getvalue()) is None


@pytest.mark.parametrize("side", [3_000, 20_000, 2**31 - 1])
def test_a_picture_that_would_fill_the_memory_is_not_opened(side):
    file = io.BytesIO()
    Image.new("P", (9, 9)).save(file, "PNG")
    png = bytearray(file.getvalue())
    png[16:24] = struct.pack(">II", side, side)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    assert shrink(bytes(png)) is None


# --- the shelf ---


def test_the_shelf_forgets_what_was_asked_for_longest_ago():
    shelf = Shelf(max_bytes=8)
    made = []

    def make(key):
        return lambda: made.append(key) or key.encode() * 4

    for key in ("a", "b", "a", "c", "a", "b"):
        assert shelf.get(key, make(key)) == key.encode() * 4
    assert made == ["a", "b", "c", "b"]


def test_what_does_not_fit_at_all_is_given_and_not_kept():
    shelf = Shelf(max_bytes=3)
    assert shelf.get("a", lambda: b"long") == b"long"
    assert shelf.get("a", lambda: b"else") == b"else"


def test_a_failure_is_not_kept():
    shelf = Shelf(max_bytes=3)
    with pytest.raises(ZeroDivisionError):
        shelf.get("a", lambda: 1 / 0)
    assert shelf.get("a", lambda: b"a") == b"a"


def test_what_two_make_after_a_failure_takes_up_room_once():
    shelf = Shelf(max_bytes=10)
    is_failing, may_fail, both = threading.Event(), threading.Event(), threading.Barrier(2)

    def fail():
        is_failing.set()
        may_fail.wait(10)
        raise ZeroDivisionError

    def make():
        both.wait(10)
        return b"made"

    with ThreadPoolExecutor(3) as people:
        failing = people.submit(shelf.get, "a", fail)
        is_failing.wait(10)
        waiting = people.submit(shelf.get, "a", make)
        time.sleep(0.1)  # until it waits for the first
        may_fail.set()
        assert isinstance(failing.exception(10), ZeroDivisionError)
        coming_later = people.submit(shelf.get, "a", make)
        assert (waiting.result(10), coming_later.result(10)) == (b"made", b"made")
    shelf.get("b", lambda: b"bbbb")
    assert shelf.find("a") == b"made"
