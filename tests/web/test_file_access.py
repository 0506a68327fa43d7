"""A visitor hears and sees what Label Studio would show them, whatever a task's addresses say."""

from dataclasses import replace

import pytest

from ml_backend.audio.spectrogram import render_spectrogram
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.web import create_app
from ml_backend.web.access.file_access import KNOWN_S, Reach
from ml_backend.web.snapshot import media_library
from tests.fake_label_studio import TOKEN
from tests.sounds import noise, tone, write
from tests.visiting import BASIC, OTHER_TOKEN, Place

CONFIG = label_config_xml(("siren", "other"), multi_label=False)
KINDS = ("audio", "spectrogram", "thumbnail")


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch):
    monkeypatch.setattr(media_library, "PATIENCE_S", 20.0)


class TwoProjects:
    """Ada's project, which bob does not see, and bob's own: each with an upload and a folder."""

    def __init__(self, folder):
        self.place = Place(folder)
        self.studio = self.place.studio
        self.hers, _ = self.place.add_project(CONFIG, storages=[folder / "hers"])
        self.his, _ = self.place.add_project(CONFIG, storages=[folder / "his"])
        bob = self.studio.users[OTHER_TOKEN]["id"]
        self.studio.hidden.add((bob, self.hers))
        for number, (project_id, name) in enumerate([(self.hers, "hers"), (self.his, "his")]):
            sound = write(folder / name / "a.wav", noise(0.3, seed=number))
            picture = render_spectrogram(tone(0.3, hz=1000 * (number + 1))[:, 0], 16_000)
            sound.with_suffix(".png").write_bytes(picture)
            for path in (sound, sound.with_suffix(".png")):
                self.studio.files[f"/data/upload/{project_id}/{path.name}"] = path.read_bytes()
        write(folder / "loose" / "a.wav", noise(0.3, seed=7))
        self.app = self.place.app

    def task(self, project_id, audio, spectrogram=None):
        """Give a project a task with these addresses; give the address of its media."""
        data = {"audio": audio, "spectrogram": spectrogram}
        (task_id,) = self.place.add_tasks(project_id, [data])
        return f"/projects/{project_id}/clips/{task_id}"

    def look(self, who, clip):
        """Ask for everything that a clip gives; give the statuses."""
        auth = {"auth": BASIC} if who is None else {}
        client = self.place.browser(who)
        return [client.get(f"{clip}/{kind}", **auth).status_code for kind in KINDS]


@pytest.fixture
def two(tmp_path):
    made = TwoProjects(tmp_path)
    yield made
    made.place.store.close()


FOREIGN = [
    "/data/upload/{hers}/a.wav",
    "/data/./upload/{hers}/a.wav",
    "http://studio.test/data/upload/{hers}/a.wav",
    "/data/local-files/?d=hers/a.wav",
    "/data/local-files/?d=his/../hers/a.wav",
    "/data/local-files/?d=his/a.wav&d=hers/a.wav",
    "/data/local%2Dfiles/?d=hers/a.wav",
    "/data/upload/{his}/data/local-files/?d=hers/a.wav",
    "/tasks/1/data/local-files/?d=hers/a.wav",
    "/projects/{his}/data/local-files/?d=hers/a.wav",
    "/data/local-files/?d=loose/a.wav",
    "/data/upload/" + "9" * 5000 + "/a.wav",
]


@pytest.mark.parametrize("has_disk", [True, False])
@pytest.mark.parametrize("address", FOREIGN)
def test_what_is_anothers_is_not_given_through_ones_own_project(two, address, has_disk):
    if not has_disk:
        settings = replace(two.place.settings, files_root=None)
        two.place.app = create_app(settings, two.studio.client())
    clip = two.task(two.his, address.format(hers=two.hers, his=two.his))
    assert two.look(OTHER_TOKEN, clip) == [404, 404, 404]


@pytest.mark.parametrize("has_disk", [True, False])
@pytest.mark.parametrize("address", ["/data/upload/{his}/a.wav", "/data/local-files/?d=his/a.wav"])
def test_what_is_ones_own_is_given(two, address, has_disk):
    if not has_disk:
        settings = replace(two.place.settings, files_root=None)
        two.place.app = create_app(settings, two.studio.client())
    clip = two.task(two.his, address.format(his=two.his))
    assert two.look(OTHER_TOKEN, clip) == [200, 200, 200]


def test_a_refusal_says_why_and_what_to_do(two):
    clip = two.task(two.his, f"/data/upload/{two.hers}/a.wav")
    answer = two.place.browser(OTHER_TOKEN).get(f"{clip}/audio")
    assert answer.get_json()["error"] == (
        f"'/data/upload/{two.hers}/a.wav': this is no file of project {two.his}, and Label Studio "
        "does not give it to you. Upload it to the project, or let a storage of it hold it."
    )


@pytest.mark.parametrize(
    "address", ["/data/upload/{hers}/a.wav", "/data/local-files/?d=hers/a.wav"]
)
def test_what_label_studio_gives_a_visitor_is_given_in_every_project(two, address):
    clip = two.task(two.his, address.format(hers=two.hers))
    assert two.look(TOKEN, clip) == [200, 200, 200]


@pytest.mark.parametrize(
    "address", ["/data/upload/{hers}/a.wav", "/data/local-files/?d=hers/a.wav"]
)
def test_what_somebody_else_was_given_is_not_given_from_memory(two, address):
    clip = two.task(two.his, address.format(hers=two.hers), address.format(hers=two.hers))
    assert two.look(TOKEN, clip) == [200, 200, 200]
    assert two.look(OTHER_TOKEN, clip) == [404, 404, 404]


def test_who_shows_the_backends_secret_is_given_everything(two):
    for address in (f"/data/upload/{two.hers}/a.wav", "/data/local-files/?d=loose/a.wav"):
        assert two.look(None, two.task(two.his, address)) == [200, 200, 200]


def test_anothers_picture_is_not_shown_beside_ones_own_sound(two):
    clip = two.task(two.his, "/data/local-files/?d=his/a.wav", "/data/local-files/?d=hers/a.png")
    drawn = render_spectrogram(noise(0.3, seed=1)[:, 0], 16_000)
    ada, bob = two.place.browser(TOKEN), two.place.browser(OTHER_TOKEN)
    for_her = {kind: ada.get(f"{clip}/{kind}").data for kind in KINDS}
    for_him = {kind: bob.get(f"{clip}/{kind}").data for kind in KINDS}
    assert for_her["spectrogram"] == two.studio.files[f"/data/upload/{two.hers}/a.png"]
    assert len(for_him["spectrogram"]) == pytest.approx(len(drawn), rel=0.2)
    assert for_him["spectrogram"] != for_her["spectrogram"]
    assert for_him["thumbnail"] != for_her["thumbnail"]


def test_a_backend_that_label_studio_refuses_does_not_send_visitors_away(two, caplog):
    clip = two.task(two.his, f"/data/upload/{two.his}/a.wav")
    bob = two.place.browser(OTHER_TOKEN)
    del two.studio.users[TOKEN]
    for kind in KINDS:
        answer = bob.get(f"{clip}/{kind}")
        assert answer.status_code == 502
        assert "Tell whoever runs Earmark" in answer.get_json()["error"]
        assert "studio.test" not in answer.get_json()["error"]
    assert "LABEL_STUDIO_API_KEY is" in caplog.text


def test_a_label_studio_that_fails_is_not_named_by_its_address(two):
    clip = two.task(two.his, f"/data/upload/{two.his}/a.wav")
    bob = two.place.browser(OTHER_TOKEN)
    two.studio.breaks_at = "a.wav"
    answer = bob.get(f"{clip}/audio")
    assert answer.status_code == 404
    assert "Label Studio answers 500" in answer.get_json()["error"]
    assert "http://studio.test" not in answer.get_json()["error"]


def test_a_clip_that_claims_to_be_another_shows_its_own_picture(two):
    """Anybody can write a clip's content hash into a task."""
    claimed = {"content_hash": "e3b0c44298fc1c149afbf4c8996fb924"}
    seen = []
    for project_id, name in ((two.his, "his"), (two.hers, "hers")):
        data = {"audio": f"/data/local-files/?d={name}/a.wav", **claimed}
        (task_id,) = two.place.add_tasks(project_id, [data])
        client = two.place.browser(TOKEN)
        clip = f"/projects/{project_id}/clips/{task_id}"
        seen.append([client.get(f"{clip}/{kind}").data for kind in KINDS])
    assert all(one != other for one, other in zip(*seen, strict=True))


def test_the_storages_of_a_project_are_asked_for_once_a_minute(two, tmp_path):
    now = 0.0
    visitor = two.studio.client(OTHER_TOKEN)
    asked = "/api/storages/localfiles"
    two.studio.calls.clear()
    reach = Reach(two.studio.client(), tmp_path, clock=lambda: now)
    somebody = _Somebody(visitor)
    address = "/data/local-files/?d=loose/a.wav"
    for _ in range(3):
        assert reach.holds(somebody, two.his, "/data/local-files/?d=his/a.wav")
    assert [path for _, path in two.studio.calls] == [asked]  # and for no file
    assert not reach.holds(somebody, two.his, address)
    assert [path for _, path in two.studio.calls].count(asked) == 1
    two.studio.storages[two.his] = [tmp_path / "loose"]
    now = KNOWN_S
    assert reach.holds(somebody, two.his, address)
    assert [path for _, path in two.studio.calls].count(asked) == 2


class _Somebody:
    def __init__(self, label_studio):
        self.label_studio = label_studio
