"""How visitors come and go: by token, by ticket, and not by anything else."""

import re
import sqlite3
import threading
import time
from types import SimpleNamespace

import pytest
from werkzeug.exceptions import ServiceUnavailable

from ml_backend.errors import LabelStudioUnreachableError, RequestError
from ml_backend.label_studio import connection
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.store import open_store
from ml_backend.web.access.session_crypto import Seals
from ml_backend.web.access.throttle import (
    FORGET_S,
    LONGEST_OF_ADDRESS_S,
    LONGEST_S,
    N_FREE,
    N_FREE_OF_ADDRESS,
    Patience,
)
from ml_backend.web.access.visitors import SESSION_S, TICKET_S, Permissions, Visitors
from ml_backend.web.pages.sign_in import MAX_FORM_BYTES
from tests.browsing import chromium, opened, served
from tests.fake_label_studio import TOKEN, FakeLabelStudio
from tests.visiting import AS_BROWSER, BASIC, OTHER_TOKEN, Place, csrf, sign_in

CONFIG = label_config_xml(("siren", "other"), multi_label=False)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.store.close()


def ticket(place, token=TOKEN):
    answer = place.browser().post("/tickets", json={"token": token}, auth=BASIC)
    return answer.get_json()["ticket"]


def session_cookie(client):
    (found,) = [
        cookie for key, cookie in client._cookies.items() if re.fullmatch("earmark_.{8}", key[2])
    ]
    return found


def is_signed_in(client):
    return client.get("/projects").status_code == 200


# --- by token ---


def test_a_token_that_label_studio_knows_signs_in_and_leads_on(place):
    client = place.browser()
    assert not is_signed_in(client)
    answer = sign_in(client, TOKEN, "/projects/1/map?color=entropy#top")
    assert (answer.status_code, answer.location) == (303, "/projects/1/map?color=entropy#top")
    assert is_signed_in(client)


def test_the_page_names_the_visitor_and_signs_out(place):
    client = place.browser(OTHER_TOKEN)
    page = client.get("/projects", headers=AS_BROWSER).get_data(as_text=True)
    assert "bob@studio.test" in page
    proof = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    kept = session_cookie(client)
    assert client.post("/sign-out", data={"csrf": proof}).status_code == 303
    assert not is_signed_in(client)
    client.set_cookie(kept.key, kept.value)
    assert not is_signed_in(client)


@pytest.mark.browser
def test_what_stands_behind_the_address_is_there_after_signing_in(place):
    project_id, _ = place.add_project(CONFIG)
    wanted = f"/projects/{project_id}?color=entropy#sel=103,928,1"
    with chromium() as browser, served(place.app) as host, opened(browser, host + wanted) as page:
        for token in ("no-token-at-all", TOKEN):
            page.fill("input[name=token]", token)
            page.click("main button[type=submit]")
        page.wait_for_url(host + wanted)
        page.goto(f"{host}/sign-in?next=/projects/{project_id}#sel=5")
        page.get_by_role("link", name="Go on").click()
        page.wait_for_url(f"{host}/projects/{project_id}#sel=5")


def test_every_page_of_a_visitor_leads_to_the_list_of_projects(place):
    project_id, _ = place.add_project(CONFIG)
    client, link = place.browser(TOKEN), '<a class="brand" href="/projects"'
    for path in ("/projects", f"/projects/{project_id}", f"/projects/{project_id}/map"):
        assert link in client.get(path, headers=AS_BROWSER).get_data(as_text=True)
    assert link not in place.browser().get("/sign-in").get_data(as_text=True)


def test_signing_out_takes_a_proof_that_a_page_of_ours_asks_for_it(place):
    client = place.browser(TOKEN)
    for form in ({}, {"csrf": "wrong"}):
        assert client.post("/sign-out", data=form).status_code == 403
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "token",
    [
        "0" * 40, "", " ", "short", "with space", "line\nbreak", "ünïcode" * 3, "x" * 5000,
        "a.b.c", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiJzb29uIn0.c2ln",
        "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTk5OTk5OTk5OTk5fQ.c2ln",
        "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln", "<script>alert(1)</script>",
    ],
)  # fmt: skip
def test_anything_else_signs_nobody_in_and_is_not_shown(place, token):
    client = place.browser()
    answer = sign_in(client, token)
    assert answer.status_code == 401
    assert not is_signed_in(client)
    shown = answer.get_data(as_text=True)
    assert 'role="alert"' in shown
    assert len(token.strip()) < 8 or token not in shown


def test_a_label_studio_that_is_down_is_no_wrong_token(place):
    place.studio.is_down = True
    answer = sign_in(place.browser(), TOKEN)
    assert answer.status_code == 502
    assert "does not answer" in answer.get_data(as_text=True)


def test_a_form_that_is_not_ours_signs_nobody_in(place):
    client = place.browser()
    form = {"token": TOKEN, "next": "/projects"}
    assert client.post("/sign-in", data=form).status_code == 403
    client.get("/sign-in")  # sets the cookie that the field must fit
    assert client.post("/sign-in", data=form).status_code == 403
    assert client.post("/sign-in", data={**form, "proof": "wrong"}).status_code == 403
    others = place.browser().get("/sign-in").get_data(as_text=True)
    proof = re.search(r'name="proof" value="([^"]+)"', others)[1]
    assert client.post("/sign-in", data={**form, "proof": proof}).status_code == 403
    assert not is_signed_in(client)


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_form_that_is_larger_than_any_token_is_not_read(place, kind):
    form = {"token": "x" * MAX_FORM_BYTES}
    answer = place.browser().post("/sign-in", data=form, content_type=kind)
    assert answer.status_code == 413


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(place):
    client = place.browser()
    answer = sign_in(client, TOKEN)
    (said,) = [
        line for line in answer.headers.getlist("Set-Cookie") if re.match("earmark_.{8}=", line)
    ]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={SESSION_S:.0f}"):
        assert part in said
    assert "Secure" not in said
    assert TOKEN not in said
    assert answer.headers["Cache-Control"] == "no-store"


def test_over_https_the_cookie_goes_nowhere_else(tmp_path):
    place = Place(tmp_path, pages_address="https://earmark.example.org")
    said = sign_in(place.browser(), TOKEN).headers.getlist("Set-Cookie")
    assert all("Secure" in line for line in said if "Max-Age=0" not in line)
    place.store.close()


def test_signing_in_anew_ends_the_session_before(place):
    client = place.browser(TOKEN)
    before = session_cookie(client)
    sign_in(client, OTHER_TOKEN)
    assert session_cookie(client).value != before.value
    client.set_cookie(before.key, before.value)
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "next_path",
    [
        "https://evil.test/", "//evil.test/", "/\\evil.test", "\\\\evil.test", "/\t/evil.test",
        "/\n/evil.test", " //evil.test", "javascript:alert(1)", "evil.test", "",
        "/%0d%0aX: y\r\nX: y",
    ],
)  # fmt: skip
def test_nobody_is_led_to_another_site(place, next_path):
    answer = sign_in(place.browser(), TOKEN, next_path)
    assert answer.location == "/projects"
    arrived = place.browser().get(
        "/arrive", query_string={"ticket": ticket(place), "next": next_path}
    )
    assert arrived.location == "/projects"
    page = place.browser().get("/sign-in", query_string={"next": next_path}).get_data(as_text=True)
    assert 'name="next" value="/projects"' in page


# --- again and again ---


def test_who_shows_a_wrong_token_again_and_again_has_to_wait(place):
    client = place.browser()
    for _ in range(N_FREE):
        assert sign_in(client, "0" * 40).status_code == 401
        assert client.get("/arrive?ticket=wrong").status_code == 403
    answer = sign_in(client, "0" * 40)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.get("/arrive?ticket=wrong").status_code == 429
    assert not is_signed_in(client)


def test_who_shares_the_address_of_somebody_who_fails_gets_in(place):
    mallory = place.browser()
    for _ in range(N_FREE + 1):
        sign_in(mallory, "0" * 40)
    assert sign_in(place.browser(), TOKEN).status_code == 303
    assert place.browser().get("/arrive", query_string={"ticket": ticket(place)}).location


def test_who_tries_one_token_after_the_other_has_to_wait_too_but_not_for_long():
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    for number in range(N_FREE_OF_ADDRESS):
        assert patience.wait_s("proxy", f"token {number}") == 0.0
        patience.failed("proxy", f"token {number}")
    assert patience.wait_s("proxy", "another") == 1.0
    assert patience.wait_s("elsewhere", "another") == 0.0
    for number in range(2000):
        patience.failed("proxy", f"guess {number}")
    assert patience.wait_s("proxy", "another") == LONGEST_OF_ADDRESS_S
    patience.succeeded("proxy", "another")
    assert patience.wait_s("proxy", "another") == 0.0


def test_the_wait_doubles_up_to_a_limit_and_is_forgotten():
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    mallory = ("10.0.0.1", "wrong")
    waits = []
    for _ in range(N_FREE + 8):
        patience.failed(*mallory)
        waits.append(patience.wait_s(*mallory))
    assert waits == [0.0] * (N_FREE - 1) + [1, 2, 4, 8, 16, 32, *[LONGEST_S] * 3]
    now[0] = LONGEST_S
    assert patience.wait_s(*mallory) == 0.0
    now[0] = LONGEST_S + FORGET_S
    patience.failed(*mallory)
    assert patience.wait_s(*mallory) == 0.0
    patience.succeeded(*mallory)
    assert patience.wait_s(*mallory) == 0.0


# --- by ticket ---


def test_a_ticket_signs_its_owner_in_once(place):
    link = {"ticket": ticket(place, OTHER_TOKEN), "next": "/projects/1/map"}
    client = place.browser()
    assert client.head("/arrive", query_string=link).status_code == 204  # a preview of the link
    answer = client.get("/arrive", query_string=link)
    assert (answer.status_code, answer.location) == (303, "/projects/1/map")
    assert "bob@studio.test" in client.get("/projects", headers=AS_BROWSER).get_data(as_text=True)
    second = place.browser()
    refused = second.get("/arrive", query_string=link)
    assert refused.status_code == 403
    assert "used already" in refused.get_data(as_text=True)
    assert not is_signed_in(second)
    assert client.get("/arrive", query_string=link).location == "/projects/1/map"


def test_a_ticket_outlives_a_label_studio_that_is_down(place):
    link = {"ticket": ticket(place)}
    client = place.browser()
    for trouble in ("is_down", "is_broken"):
        setattr(place.studio, trouble, True)
        answer = client.get("/arrive", query_string=link, headers=AS_BROWSER)
        setattr(place.studio, trouble, False)
        assert answer.status_code == 502
        assert "follow the link again" in answer.get_data(as_text=True)
    assert client.get("/arrive", query_string=link).status_code == 303
    assert is_signed_in(client)


def test_a_link_of_another_makes_a_visitor_that_person_only_when_told_to(place):
    client = place.browser(TOKEN)
    link = {"ticket": ticket(place, OTHER_TOKEN), "next": "/projects/1/map?color=entropy"}

    def name():
        page = client.get("/projects", headers=AS_BROWSER).get_data(as_text=True)
        return re.search(r'title="Signed in as ([^"]+)"', page)[1]

    answer = client.get("/arrive", query_string=link, headers=AS_BROWSER)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "<h1>Go on as bob@studio.test?</h1>" in page
    assert f'<a href="{link["next"]}">Stay signed in as first@studio.test</a>' in page
    assert name() == "first@studio.test"
    fields = dict(re.findall(r'type="hidden" name="([a-z]+)" value="([^"]*)"', page))
    for spoilt in ({"proof": ""}, {"proof": "wrong"}):
        assert client.post("/arrive", data={**fields, **spoilt}).status_code == 403
        assert name() == "first@studio.test"
    told = client.post("/arrive", data=fields)
    assert (told.status_code, told.location) == (303, link["next"])
    assert name() == "bob@studio.test"


def test_a_link_of_their_own_asks_a_visitor_nothing(place):
    client = place.browser(TOKEN)
    before = session_cookie(client).value
    assert client.get("/arrive", query_string={"ticket": ticket(place)}).status_code == 303
    assert session_cookie(client).value != before


def test_of_two_who_use_a_ticket_at_once_one_gets_in(place):
    sessions = place.store.sessions
    sessions.add("key", "sealed", expires_at=10.0, now=0.0)
    second = open_store(place.settings.store_url).sessions
    found = second.find("key", now=1.0)
    assert sessions.take("key", now=1.0) == found == "sealed"
    assert second.take("key", now=1.0) is None


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: "x" + t, lambda t: t.upper(), str.strip]
)
def test_a_ticket_that_was_tampered_with_is_none(place, spoil):
    whole = ticket(place)
    spoilt = spoil(whole) if spoil is not str.strip else ""
    client = place.browser()
    assert client.get("/arrive", query_string={"ticket": spoilt}).status_code == 403
    assert not is_signed_in(client)
    assert client.get("/arrive", query_string={"ticket": whole}).status_code == 303


def test_a_ticket_is_no_cookie_and_a_cookie_no_ticket(place):
    client = place.browser(TOKEN)
    cookie = session_cookie(client)
    stranger = place.browser()
    assert stranger.get("/arrive", query_string={"ticket": cookie.value}).status_code == 403
    stranger.set_cookie(cookie.key, ticket(place))
    assert not is_signed_in(stranger)


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": 7}, {"token": "0" * 40}, []])
def test_there_is_no_ticket_without_a_token_that_label_studio_knows(place, body):
    answer = place.browser().post("/tickets", json=body, auth=BASIC)
    assert answer.status_code == 400
    assert "0" * 40 not in answer.get_data(as_text=True)


# --- time passes ---


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def visitors(place, clock):
    client = place.studio.client()
    return Visitors(place.store, client, Seals("a key of the tests"), clock=lambda: clock[0])


def test_a_session_ends(visitors, clock):
    cookie = visitors.sign_in(TOKEN)
    clock[0] += SESSION_S - 1
    assert visitors.find(cookie).email == "first@studio.test"
    clock[0] += 1
    assert visitors.find(cookie) is None


def test_a_ticket_lasts_a_day(visitors, clock):
    early, late = visitors.make_ticket(TOKEN), visitors.make_ticket(TOKEN)
    clock[0] += TICKET_S - 1
    assert visitors.find(visitors.arrive(early)).user_id == 1
    clock[0] += 1
    assert visitors.arrive(late) is None
    assert TICKET_S <= 24 * 3600


def test_what_has_expired_is_thrown_away(visitors, clock, place):
    visitors.make_ticket(TOKEN)
    clock[0] += TICKET_S
    visitors.sign_in(TOKEN)
    with sqlite3.connect(place.settings.data_dir / "earmark.db") as database:
        assert database.execute("SELECT count(*) FROM session").fetchone() == (1,)


def test_a_ticket_whose_token_was_revoked_signs_nobody_in(visitors, place):
    made = visitors.make_ticket(OTHER_TOKEN)
    del place.studio.users[OTHER_TOKEN]
    assert visitors.arrive(made) is None


def test_a_visitor_whose_token_was_revoked_has_to_sign_in_again(place):
    project_id, _ = place.add_project(CONFIG)
    client = place.browser(OTHER_TOKEN)
    del place.studio.users[OTHER_TOKEN]
    assert client.get(f"/projects/{project_id}/map").status_code == 401
    assert not is_signed_in(client)


def test_a_session_outlives_a_restart_and_another_backends_key_ends_it(place):
    cookie = session_cookie(place.browser(TOKEN))
    again = Place.__new__(Place)
    again.__dict__.update(place.__dict__)
    from ml_backend.web import create_app

    again.app = create_app(place.settings, place.studio.client())
    client = again.browser()
    client.set_cookie(cookie.key, cookie.value)
    assert is_signed_in(client)
    (place.settings.data_dir / "session_key").unlink()
    again.app = create_app(place.settings, place.studio.client())
    client = again.browser()
    client.set_cookie(cookie.key, cookie.value)
    assert not is_signed_in(client)


# --- what is kept ---


def test_a_stolen_database_holds_no_token_no_cookie_and_no_name(place):
    cookie = session_cookie(place.browser(OTHER_TOKEN)).value
    unused = ticket(place, OTHER_TOKEN)
    place.store.close()
    stolen = b"".join(path.read_bytes() for path in place.settings.data_dir.glob("earmark.db*"))
    for word in (OTHER_TOKEN, cookie, cookie.partition(".")[0], unused.partition(".")[0], "bob@"):
        assert word.encode() not in stolen


def test_no_token_reaches_a_log(place, caplog):
    caplog.set_level("DEBUG")
    client = place.browser(TOKEN)
    sign_in(client, "0" * 40)
    used = ticket(place)
    client.get("/arrive", query_string={"ticket": used})
    place.studio.is_down = True
    client.get("/projects")
    for word in (TOKEN, "0" * 40, used, session_cookie(client).value):
        assert word not in caplog.text


def test_the_key_is_for_this_user_alone(place):
    path = place.settings.data_dir / "session_key"
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_text()) >= 32


def test_a_visitor_shows_no_secret_when_printed(visitors):
    visitor = visitors.find(visitors.sign_in(TOKEN))
    assert TOKEN not in repr(visitor)
    assert visitor.csrf_token not in repr(visitor)


# --- what may be seen ---


class Watch:
    """A visitor's Label Studio that counts how often it is asked, and may change its mind."""

    def __init__(self):
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(CONFIG)
        self.now = 0.0
        self.permissions = Permissions(clock=lambda: self.now)
        visitors = Visitors(
            open_store("sqlite://"), self.studio.client(), Seals("a key of the tests")
        )
        self.visitor = visitors.find(visitors.sign_in(TOKEN))

    def sees(self):
        return self.permissions.project(self.visitor, self.project_id) is not None

    def n_asked(self):
        return sum(path.endswith(f"/projects/{self.project_id}") for _, path in self.studio.calls)


def test_label_studio_is_asked_every_half_minute():
    watch = Watch()
    for now in (0.0, 10.0, 29.0):
        watch.now = now
        assert watch.sees()
    assert watch.n_asked() == 1
    watch.studio.hidden.add((1, watch.project_id))
    watch.now = 30.0
    assert not watch.sees()


def test_a_refusal_is_soon_forgotten():
    watch = Watch()
    watch.studio.hidden.add((1, watch.project_id))
    assert not watch.sees()
    watch.studio.hidden.clear()
    watch.now = 2.0
    assert watch.sees()


def test_many_requests_of_one_page_ask_once():
    watch = Watch()
    threads = [threading.Thread(target=watch.sees) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watch.n_asked() == 1


def test_who_asks_right_after_a_failure_is_told_of_it_without_asking_anew():
    watch = Watch()
    watch.studio.is_down = True
    for _ in range(3):
        with pytest.raises(LabelStudioUnreachableError):
            watch.sees()
    n_tries = watch.n_asked()
    watch.studio.is_down = False
    watch.now = Permissions.FAILED_S
    assert watch.sees()
    assert watch.n_asked() == n_tries + 1 <= 4


def test_nobody_waits_long_for_somebody_elses_question(monkeypatch):
    monkeypatch.setattr(Permissions, "WAITS_S", 0.01)
    watch, is_asked, door = Watch(), threading.Event(), threading.Event()

    def hang(project_id):
        is_asked.set()
        door.wait(5)
        return {"id": project_id}

    monkeypatch.setattr(watch.visitor.label_studio, "project", hang)
    first = threading.Thread(target=watch.sees)
    first.start()
    is_asked.wait(5)
    with pytest.raises(ServiceUnavailable) as refusal:
        watch.sees()
    assert refusal.value.retry_after == 1
    door.set()
    first.join()
    assert watch.sees()


def test_the_list_of_projects_is_what_label_studio_shows(place):
    first, _ = place.add_project(CONFIG)
    second, _ = place.add_project(CONFIG)
    place.studio.hidden.add((2, second))
    seen = {
        token: [one["project"] for one in place.browser(token).get("/projects").get_json()]
        for token in (TOKEN, OTHER_TOKEN)
    }
    assert seen == {TOKEN: [first, second], OTHER_TOKEN: [first]}


def test_a_label_studio_that_is_down_lets_nobody_see_anything(place, monkeypatch):
    pauses_s = []
    clock = SimpleNamespace(sleep=pauses_s.append, monotonic=time.monotonic)
    monkeypatch.setattr(connection, "time", clock)
    project_id, _ = place.add_project(CONFIG)
    client = place.browser(TOKEN)
    place.studio.is_down = True
    answer = client.get(f"/projects/{project_id}/map", headers=AS_BROWSER)
    assert answer.status_code == 502
    assert "Label Studio" in answer.get_data(as_text=True)
    assert sum(pauses_s) <= 1.0  # a visitor waits in front of the page


def test_a_token_is_no_longer_taken_for_one_when_it_is_none(visitors):
    with pytest.raises(RequestError, match="no Label Studio token"):
        visitors.sign_in("a b c d e f g h")


def test_the_proof_of_a_page_is_that_of_its_session(place):
    client = place.browser(TOKEN)
    assert csrf(client) == csrf(client)
    assert csrf(client) != csrf(place.browser(TOKEN))
