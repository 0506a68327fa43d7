"""Who may call what: nobody, a stranger, a visitor, and whoever knows the secret."""

import re
import threading
from urllib.parse import unquote

import pytest
from markupsafe import escape

from ml_backend.errors import LabelStudioUnreachableError
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.web.access import guard
from tests.fake_label_studio import TOKEN
from tests.visiting import AS_BROWSER, BASIC, OTHER_TOKEN, SECRET, Place, csrf

CONFIG = label_config_xml(("siren", "other"), multi_label=False)
# Written down here as well: whoever opens a route to all has to say so twice.
OPEN = {"/", "/health", "/sign-in", "/arrive", "/static/<digest>/<path:name>"}
FOR_THE_BACKEND = {
    "/setup", "/predict", "/versions", "/webhook", "/status", "/metrics", "/tickets",
}  # fmt: skip
WITHOUT_A_PROJECT = {"/projects", "/sign-out"}
UNDER_A_NAME = {
    "/projects/<int:project_id>/again",
    "/projects/<int:project_id>/annotations",
    "/projects/<int:project_id>/bulk",
    "/projects/<int:project_id>/label",
    "/projects/<int:project_id>/tab",
}
READING = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def project_id(place):
    number, _ = place.add_project(CONFIG, [{"audio": "/data/upload/1/a.wav"}])
    return number


def calls(place, project_id, wanted):
    """Every call to the routes of one kind, with their parameters filled in."""
    found = []
    for rule in place.app.url_map.iter_rules():
        is_below = rule.rule.startswith("/projects/<int:project_id>")
        kind = (
            "open"
            if rule.rule in OPEN
            else "project"
            if is_below
            else "visitor"
            if rule.rule in WITHOUT_A_PROJECT
            else "backend"
        )
        path = rule.rule.replace("<int:project_id>", str(project_id))
        path = re.sub(r"<[^>]+>", "1", path)
        if kind == wanted:
            found += [(method, path, rule.rule) for method in sorted(rule.methods - {"OPTIONS"})]
    assert found
    return found


def test_every_route_is_of_a_known_kind(place, project_id):
    for method, path, rule in calls(place, project_id, "backend"):
        assert rule in FOR_THE_BACKEND, f"{method} {path}: say in this test who may call it"


def test_nobody_gets_past_the_door(place, project_id):
    client = place.browser()
    for kind in ("project", "visitor", "backend"):
        for method, path, _ in calls(place, project_id, kind):
            for shown in ({}, {"auth": ("earmark", "wrong")}, {"auth": ("admin", SECRET)}):
                answer = client.open(path, method=method, **shown)
                assert answer.status_code == 401, f"{method} {path}"
                assert SECRET not in answer.get_data(as_text=True)
                # Browsers would cover the page with a question for a password.
                assert ("WWW-Authenticate" in answer.headers) == (kind == "backend")


def test_a_person_without_a_session_is_led_to_the_sign_in_page_and_back(place, project_id):
    client = place.browser()
    for kind in ("project", "visitor"):
        for method, path, _ in calls(place, project_id, kind):
            answer = client.open(f"{path}?color=entropy", method=method, headers=AS_BROWSER)
            if method in READING:
                assert answer.status_code == 302, f"{method} {path}"
                wanted = f"/sign-in?next={path.replace('/', '%2F')}%3Fcolor%3Dentropy"
                assert answer.location == wanted
            else:
                assert answer.status_code == 401, f"{method} {path}"


def test_the_longest_selection_of_an_address_fits_through_the_sign_in_page(place, project_id):
    sel = ",".join(map(str, range(100, 960)))
    answer = place.browser().get(f"/projects/{project_id}/map?sel={sel}", headers=AS_BROWSER)
    assert 3_400 < len(sel) < len(answer.location) < 4_000
    assert unquote(answer.location).endswith(f"?sel={sel}")


def test_a_visitor_sees_the_projects_that_label_studio_shows_and_no_others(place, project_id):
    place.studio.hidden.add((2, project_id))
    ada, bob = place.browser(TOKEN), place.browser(OTHER_TOKEN)
    proofs = {ada: csrf(ada), bob: csrf(bob)}
    for method, path, _ in calls(place, project_id, "project"):
        answers = [
            client.open(path, method=method, headers=proofs[client]).status_code
            for client in (ada, bob)
        ]
        assert answers[0] not in (302, 401, 403), f"{method} {path}"
        assert answers[1] == 403, f"{method} {path}"
    missing = ada.get("/projects/999/map", headers=AS_BROWSER)
    assert missing.status_code == 403
    assert "project 999" in missing.get_data(as_text=True)


def test_of_a_project_that_earmark_does_not_look_after_nothing_is_shown_and_nothing_made(place):
    ada, script = place.browser(TOKEN), place.browser()
    place.store.facts.write("embedder", {"embedder_id": "melstats-2", "warning": None})
    theirs = place.studio.add_project(CONFIG)  # in Label Studio, and never connected
    for project_id in (theirs, 999):
        for method, path, rule in calls(place, project_id, "project"):
            answer = script.open(path, method=method, auth=BASIC, json={})
            assert answer.status_code == 404, f"{method} {path}"
            if method == "GET":
                said = answer.get_json()["error"]
                assert f"does not look after project {project_id} yet" in said, rule
            seen = ada.open(path, method=method, headers={**AS_BROWSER, **csrf(ada)}, json={})
            assert seen.status_code == (404 if project_id == theirs else 403), f"{method} {path}"
        assert place.store.maps.standing(project_id, "melstats-2") == {}
    assert place.store.agenda.project_ids() == []


def test_a_visitor_may_call_nothing_that_is_the_backends_own(place, project_id):
    client = place.browser(TOKEN)
    for method, path, _ in calls(place, project_id, "backend"):
        assert client.open(path, method=method, headers=csrf(client)).status_code == 401


def test_scripts_that_know_the_secret_may_call_everything_but_what_is_done_under_a_name(
    place, project_id
):
    client = place.browser()
    for kind in ("project", "visitor", "backend"):
        for method, path, rule in calls(place, project_id, kind):
            answer = client.open(path, method=method, auth=BASIC)
            assert answer.status_code not in (401, 302), f"{method} {path}"
            is_named = rule.startswith(tuple(UNDER_A_NAME)) and method not in READING
            assert (answer.status_code == 403) == is_named, f"{method} {path}"


@pytest.mark.parametrize("shown", [None, "", "wrong", "another's"])
def test_a_change_needs_the_csrf_token_of_its_own_session(place, project_id, shown):
    client = place.browser(TOKEN)
    if shown == "another's":
        shown = csrf(place.browser(OTHER_TOKEN))["X-Earmark-CSRF"]
    headers = {} if shown is None else {"X-Earmark-CSRF": shown}
    for method, path, _ in calls(place, project_id, "project"):
        if method not in READING:
            answer = client.open(path, method=method, headers=headers, json={})
            assert answer.status_code == 403, f"{method} {path}"
            assert "reload" in answer.get_json()["error"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_knows_the_secret_is_not_led_by_other_sites(place, project_id, site):
    client = place.browser()
    body = {"action": "ANNOTATION_CREATED", "project": {"id": project_id}}
    led = {"Sec-Fetch-Site": site}
    assert client.post("/webhook", json=body, auth=BASIC, headers=led).status_code == 401
    assert client.post("/webhook", json=body, auth=BASIC).status_code == 200
    assert client.get("/status", auth=BASIC, headers=led).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.test", 401),
        ("http://localhost.evil.test", 401),
        ("http://localhost:8080", 401),  # Label Studio beside us
        ("null", 401),
        ("http://[", 401),
        ("http://localhost", 200),
        ("https://Earmark.test", 200),
    ],
)
def test_over_plain_http_the_page_a_browser_comes_from_decides(tmp_path, origin, status):
    place = Place(tmp_path, pages_address="https://earmark.test/")
    project_id, _ = place.add_project(CONFIG)
    body = {"action": "ANNOTATION_CREATED", "project": {"id": project_id}}
    client = place.browser()
    led = {"Origin": origin}
    assert client.post("/webhook", json=body, auth=BASIC, headers=led).status_code == status
    behind_a_proxy = {**led, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/webhook", json=body, auth=BASIC, headers=behind_a_proxy).status_code == 200
    assert client.get("/status", auth=BASIC, headers=led).status_code == 200
    place.store.close()


def test_a_route_that_does_not_exist_says_nothing_to_strangers(place, project_id):
    nobody, ada = place.browser(), place.browser(TOKEN)
    for path in ("/etc/passwd", "/projects/1/../../etc/passwd", "/projects/x"):
        assert nobody.get(path).status_code == 401
        assert nobody.get(path, auth=BASIC).status_code == 404
    assert ada.get(f"/projects/{project_id}/nothing").status_code == 404
    assert ada.get("/etc/passwd").status_code == 401


@pytest.mark.parametrize("path", ["/project/1", "/projects/x", "/projects/1/mapp", "/<b>"])
def test_a_mistyped_address_is_answered_with_a_page_and_without_a_password_box(place, path):
    for client in (place.browser(), place.browser(TOKEN)):
        answer = client.get(path, headers=AS_BROWSER)
        assert answer.status_code == 404
        assert "WWW-Authenticate" not in answer.headers
        page = answer.get_data(as_text=True)
        assert f"There is no page {escape(path)}" in page
        assert 'href="/projects"' in page


def test_the_bare_address_leads_people_to_their_projects_and_tells_programs_of_the_health(place):
    client = place.browser()
    assert client.get("/", headers=AS_BROWSER).location == "/projects"
    assert client.get("/").get_json() == client.get("/health").get_json()


def test_every_answer_tells_browsers_what_they_may_do_with_it(place, project_id):
    nobody, ada = place.browser(), place.browser(TOKEN)
    answers = [
        nobody.get("/health"),
        nobody.get("/sign-in"),
        nobody.get("/nothing"),
        ada.get(f"/projects/{project_id}/map", headers=AS_BROWSER),
        ada.get("/projects/999/map", headers=AS_BROWSER),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "public" not in answer.headers["Cache-Control"]


def test_pages_hold_nothing_that_the_policy_forbids(place, project_id):
    ada = place.browser(TOKEN)
    paths = [path for method, path, _ in calls(place, project_id, "project") if method == "GET"]
    for path in ("/sign-in", "/projects", "/projects/999/map", *paths):
        answer = ada.get(path, headers=AS_BROWSER)
        if answer.mimetype == "text/html":
            page = answer.get_data(as_text=True)
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page), path


def test_no_page_is_kept_for_another_visitor(place, project_id):
    answer = place.browser(TOKEN).get(f"/projects/{project_id}/map", headers=AS_BROWSER)
    assert "private" in answer.headers["Cache-Control"]
    assert "Cookie" in answer.headers["Vary"]


def test_a_projects_name_is_shown_as_text(place, project_id):
    place.store.agenda.describe(project_id, title="<img src=x onerror=alert(1)>", class_names=[])
    page = place.browser(TOKEN).get("/projects", headers=AS_BROWSER).get_data(as_text=True)
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_a_project_number_that_no_database_can_hold_is_not_found(place):
    ada = place.browser(TOKEN)
    for method, path, _ in calls(place, 2**31, "project"):
        for shown in ({}, {"auth": BASIC}):
            assert ada.open(path, method=method, **shown).status_code == 404, f"{method} {path}"


def test_who_waits_for_label_studio_leaves_room_for_its_own_calls(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "N_PLACES", 1)
    place, door = Place(tmp_path), threading.Event()
    number, _ = place.add_project(CONFIG)
    ada, is_waiting = place.browser(TOKEN), threading.Event()
    path = f"/projects/{number}/revision"

    def hang(_self, _visitor, _project_id):
        is_waiting.set()
        door.wait(5)
        raise LabelStudioUnreachableError("Label Studio does not answer.")

    monkeypatch.setattr(guard.Permissions, "project", hang)
    waiting = threading.Thread(target=lambda: ada.get(path))
    waiting.start()
    is_waiting.wait(5)
    others = place.browser()
    for shown in ("/sign-in", path):
        refused = others.get(shown)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    event = {"action": "ANNOTATION_CREATED", "project": {"id": number}}
    assert others.post("/webhook", json=event, auth=BASIC).status_code == 200
    assert others.get("/health").status_code == 200
    door.set()
    waiting.join()
    for _ in range(2):  # a place is given back, whatever the answer
        answer = ada.get(path)
        # By this header pages know that it is Label Studio that is away, and wait for it.
        assert (answer.status_code, answer.headers["Retry-After"]) == (502, "2")
    assert others.get("/sign-in").status_code == 200
    place.store.close()
