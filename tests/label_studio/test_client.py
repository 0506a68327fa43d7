"""Calls to Label Studio, over the true SDK's tokens and a network that is only pretended."""

import base64
import itertools
import json
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx
import pytest

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio import LabelStudio, client, connection, data_manager
from tests.fake_label_studio import FakeLabelStudio

STUDIO = "http://studio.test:8080"
TOKEN = "a-legacy-token-of-forty-characters-here"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock in which pauses take no time; ``clock.pauses_s`` holds them."""
    clock = SimpleNamespace(pauses_s=[], monotonic=time.monotonic)
    clock.sleep = clock.pauses_s.append
    monkeypatch.setattr(connection, "time", clock)
    return clock


def label_studio(handler, *, url=STUDIO, api_key=TOKEN):
    return LabelStudio(url, api_key, transport=httpx.MockTransport(handler))


def answers(*answers):
    """Give each answer once, the last one for ever, and count the requests."""
    requests = []

    def handler(request):
        requests.append(request)
        answer = answers[min(len(requests), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    handler.requests = requests
    return handler


def json_web_token(seconds_left, kind):
    def part(content):
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"exp": int(time.time()) + seconds_left, "token_type": kind}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"


def test_a_number_of_more_digits_than_python_reads_is_no_reason_to_stop():
    tasks = f'{{"total": 1, "tasks": [{{"id": 1, "data": {{"n": {"9" * 4301}}}}}]}}'
    handler = answers(httpx.Response(200, content=tasks))
    assert label_studio(handler).tasks(3) == [{"id": 1, "data": {"n": "9" * 4301}}]


# --- tokens ---


def test_a_legacy_token_goes_along_as_it_is():
    handler = answers(httpx.Response(200, json={"email": "a@b.co"}))
    assert label_studio(handler).whoami() == {"email": "a@b.co"}
    assert handler.requests[0].headers["authorization"] == f"Token {TOKEN}"


def test_a_personal_access_token_is_exchanged_once_and_again_when_it_expires():
    refresh = json_web_token(3600, "refresh")
    access = [json_web_token(-1, "access"), json_web_token(300, "access")]
    calls = []

    def handler(request):
        calls.append((request.url.path, request.headers.get("authorization")))
        if request.url.path == "/studio/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": refresh}
            return httpx.Response(200, json={"access": access[min(len(calls) // 2, 1)]})
        return httpx.Response(200, json={})

    studio = label_studio(handler, url=f"{STUDIO}/studio/", api_key=refresh)
    for _ in range(3):
        studio.whoami()
    whoami = "/studio/api/current-user/whoami"
    assert calls == [
        ("/studio/api/token/refresh/", None),
        (whoami, f"Bearer {access[0]}"),
        ("/studio/api/token/refresh/", None),
        (whoami, f"Bearer {access[1]}"),
        (whoami, f"Bearer {access[1]}"),
    ]


def test_a_personal_access_token_that_is_refused_says_so():
    refresh = json_web_token(3600, "refresh")
    handler = answers(httpx.Response(401, json={"detail": "Token is blacklisted"}))
    with pytest.raises(LabelStudioAuthError, match="Token is blacklisted") as caught:
        label_studio(handler, api_key=refresh).whoami()
    assert refresh not in str(caught.value)


def test_an_expired_or_missing_token_is_refused_before_any_call():
    handler = answers(httpx.Response(200, json={}))
    with pytest.raises(LabelStudioAuthError, match="expired"):
        label_studio(handler, api_key=json_web_token(-10, "refresh"))
    with pytest.raises(LabelStudioAuthError, match="LABEL_STUDIO_API_KEY"):
        label_studio(handler, api_key="")
    assert handler.requests == []


def test_another_person_sees_the_same_label_studio_with_another_token():
    handler = answers(httpx.Response(200, json={"email": "a@b.co"}))
    label_studio(handler).seen_by("another-token-of-somebody", timeout_s=5.0).whoami()
    (request,) = handler.requests
    assert request.url.host == "studio.test"
    assert request.headers["Authorization"] == "Token another-token-of-somebody"


def test_what_a_person_waits_for_is_soon_given_up_but_no_change_that_may_be_made_yet():
    handler = answers(httpx.Response(200, json={"id": 7, "count": 0, "results": []}))
    visitor = label_studio(handler).seen_by(TOKEN, timeout_s=5.0)
    visitor.projects()
    visitor.annotate(7, [])
    assert [one.extensions["timeout"]["read"] for one in handler.requests] == [5.0, 30.0]


# --- failures, by what has to be mended ---


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            httpx.Response(401, json={"detail": "Invalid token."}),
            LabelStudioAuthError,
            "Invalid token",
        ),
        (httpx.Response(403, json={"detail": "No."}), LabelStudioAuthError, "LABEL_STUDIO_API_KEY"),
        (
            httpx.Response(404, json={"detail": "No Project matches"}),
            LabelStudioNotFoundError,
            "No Project",
        ),
        (httpx.Response(404, text="<html>"), LabelStudioNotFoundError, "/api/projects/7"),
        (httpx.Response(500, text="<html>Traceback"), LabelStudioError, "answers 500"),
        (
            httpx.Response(500, json={"detail": "database is locked"}),
            LabelStudioError,
            "database is locked",
        ),
        (httpx.Response(502, text="Bad gateway"), LabelStudioUnreachableError, "not ready"),
        (httpx.Response(504, text=""), LabelStudioUnreachableError, "too long"),
        (
            httpx.Response(200, text="<html>another program"),
            LabelStudioError,
            "Is LABEL_STUDIO_URL",
        ),
        (
            httpx.Response(301, headers={"location": "https://studio.test/"}),
            LabelStudioError,
            "https://studio.test/",
        ),
        (httpx.ConnectError("refused"), LabelStudioUnreachableError, "Is it running"),
        (httpx.ReadTimeout("slow"), LabelStudioUnreachableError, "in time"),
        (httpx.DecodingError("no gzip"), LabelStudioError, "decompressed"),
    ],
)
def test_a_failure_names_label_studio_and_what_to_mend(answer, error, words):
    with pytest.raises(error, match=words) as caught:
        label_studio(answers(answer)).project(7)
    assert type(caught.value) is error or "in time" in words or "too long" in words
    assert STUDIO in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.plain.startswith("Label Studio ")
    assert STUDIO not in caught.value.plain
    assert "LABEL_STUDIO_" not in caught.value.plain


def test_spoilt_bytes_are_a_failure_of_label_studio_in_files_and_tokens_too():
    handler = answers(httpx.DecodingError("no gzip"))
    with pytest.raises(LabelStudioError, match="decompressed"):
        label_studio(handler).download("/data/upload/1/a.wav")
    with pytest.raises(LabelStudioError, match="decompressed"):
        label_studio(handler, api_key=json_web_token(3600, "refresh")).whoami()


def test_what_is_wrong_with_each_field_is_told_in_plain_words():
    body = {
        "detail": "Validation error",
        "validation_errors": {
            "title": ["Ensure this field has at least 3 characters."],
            "non_field_errors": ['Can\'t connect. <a href="x">Learn more</a>'],
        },
    }
    with pytest.raises(LabelStudioError) as caught:
        label_studio(answers(httpx.Response(400, json=body))).create_project(title="x")
    assert str(caught.value).endswith(
        "title: Ensure this field has at least 3 characters.; Can't connect. Learn more"
    )


def test_a_long_complaint_is_cut():
    body = {"detail": "x" * 10_000}
    with pytest.raises(LabelStudioError) as caught:
        label_studio(answers(httpx.Response(400, json=body))).projects()
    assert len(str(caught.value)) < 500


def test_a_number_that_json_cannot_hold_is_refused_here():
    handler = answers(httpx.Response(200, json={}))
    with pytest.raises(LabelStudioError, match="JSON"):
        label_studio(handler).import_tasks(1, [{"data": {"salience": float("nan")}}])
    assert handler.requests == []


# --- trying again ---


@pytest.mark.parametrize(
    "trouble", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.Response(503)]
)
def test_reading_is_tried_again(trouble):
    handler = answers(trouble, trouble, httpx.Response(200, json={"id": 7}))
    assert label_studio(handler).project(7) == {"id": 7}


def test_reading_ends_after_three_tries(clock):
    handler = answers(httpx.ConnectError("refused"))
    with pytest.raises(LabelStudioUnreachableError):
        label_studio(handler).project(7)
    assert len(handler.requests) == 3
    assert clock.pauses_s == [0.2, 0.8]


@pytest.mark.parametrize(("silent_s", "n_tries"), [(0.9, 3), (1.1, 1)])
def test_what_took_more_than_a_second_to_fail_is_not_tried_again(clock, silent_s, n_tries):
    looks = itertools.count(step=silent_s)  # before each try, and when it has failed
    clock.monotonic = lambda: next(looks)
    handler = answers(httpx.ConnectTimeout("nobody there"))
    with pytest.raises(LabelStudioUnreachableError):
        label_studio(handler).project(7)
    assert len(handler.requests) == n_tries


@pytest.mark.parametrize(
    "trouble", [httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(504)]
)
def test_what_would_only_add_to_the_load_is_not_tried_again(trouble):
    handler = answers(trouble)
    with pytest.raises(LabelStudioError):
        label_studio(handler).project(7)
    assert len(handler.requests) == 1


def test_nothing_is_sent_twice():
    handler = answers(httpx.ReadError("reset"), httpx.Response(201, json={"task_count": 1}))
    with pytest.raises(LabelStudioUnreachableError):
        label_studio(handler).import_tasks(7, [{"data": {"audio": "/a.wav"}}])
    assert len(handler.requests) == 1


# --- lists that come in pages ---


@pytest.mark.parametrize("n_tasks", [0, 1, 6, 7, 8, 21])
@pytest.mark.parametrize("largest_page", [3, 100])
def test_every_task_is_listed_once_whatever_the_server_gives_at_a_time(
    monkeypatch, n_tasks, largest_page
):
    monkeypatch.setattr(client, "TASKS_PER_PAGE", 7)

    def handler(request):
        query = request.url.params
        assert (query["project"], query["fields"], query["include"]) == (
            "5",
            "task_only",
            "id,data",
        )
        size = min(int(query["page_size"]), largest_page)
        start = (int(query["page"]) - 1) * size
        rows = [
            {"id": number, "data": {"audio": f"/{number}.wav"}} for number in range(1, n_tasks + 1)
        ]
        if start and start >= n_tasks:
            return httpx.Response(404, json={"detail": "Invalid page."})
        return httpx.Response(200, json={"total": n_tasks, "tasks": rows[start : start + size]})

    tasks = label_studio(handler).tasks(5)
    assert [task["id"] for task in tasks] == list(range(1, n_tasks + 1))
    assert all(task["data"] == {"audio": f"/{task['id']}.wav"} for task in tasks)


def test_tasks_deleted_while_the_list_is_read_do_not_spoil_it(monkeypatch):
    monkeypatch.setattr(client, "TASKS_PER_PAGE", 2)
    handler = answers(
        httpx.Response(
            200, json={"total": 4, "tasks": [{"id": 1, "data": {}}, {"id": 2, "data": {}}]}
        ),
        httpx.Response(404, json={"detail": "Invalid page."}),
    )
    assert [task["id"] for task in label_studio(handler).tasks(5)] == [1, 2]


def test_an_unknown_project_has_no_tasks_to_list():
    handler = answers(httpx.Response(404, json={"detail": "No Project matches the given query."}))
    with pytest.raises(LabelStudioNotFoundError):
        label_studio(handler).tasks(5)


# --- the rest ---


def test_nothing_to_import_asks_nobody():
    handler = answers(httpx.Response(500))
    assert label_studio(handler).import_tasks(5, []) == 0
    assert label_studio(handler).import_predictions(5, []) == 0
    assert handler.requests == []


def test_no_next_task_is_none_but_an_unknown_project_is_an_error():
    def handler(request):
        known = request.url.path == "/api/projects/5"
        return httpx.Response(200, json={"id": 5}) if known else httpx.Response(404)

    assert label_studio(handler).next_task(5) is None
    with pytest.raises(LabelStudioNotFoundError, match="/api/projects/6"):
        label_studio(handler).next_task(6)


def test_an_uploaded_file_gets_an_address_that_a_browser_can_ask_for():
    handler = answers(
        httpx.Response(201, json={"file_upload_ids": [9]}),
        httpx.Response(200, json={"id": 9, "file": "upload/5/1f-Käuz #1.wav"}),
    )
    address = label_studio(handler).upload_file(5, "Käuz #1.wav", b"RIFF")
    assert address == "/data/upload/5/1f-K%C3%A4uz%20%231.wav"
    assert handler.requests[0].url.params["commit_to_project"] == "false"


def test_a_file_that_label_studio_kept_although_it_complained_is_found():
    complaint = (
        "Failed to parse input file 1f-Käuz_1.wav: Your label config has more than one data key"
    )
    handler = answers(
        httpx.Response(400, json={"validation_errors": {"non_field_errors": [complaint]}})
    )
    address = label_studio(handler).upload_file(5, "Käuz 1.wav", b"RIFF")
    assert address == "/data/upload/5/1f-K%C3%A4uz_1.wav"


def test_a_file_that_label_studio_refused_is_an_error():
    complaint = ".exe extension is not supported"
    handler = answers(
        httpx.Response(400, json={"validation_errors": {"non_field_errors": [complaint]}})
    )
    with pytest.raises(LabelStudioError, match="not supported"):
        label_studio(handler).upload_file(5, "a.exe", b"MZ")


def test_a_label_studio_below_a_path_serves_files_below_it():
    handler = answers(httpx.Response(200, content=b"RIFF"))
    studio = label_studio(handler, url=f"{STUDIO}/studio")
    for address in (
        "/data/upload/1/a.wav",
        "/studio/data/upload/1/a.wav",
        f"{STUDIO}/studio/data/upload/1/a.wav",
    ):
        assert studio.download(address) == b"RIFF"
        assert handler.requests[-1].url == f"{STUDIO}/studio/data/upload/1/a.wav"


def test_importing_the_module_loads_neither_the_sdk_nor_pandas():
    code = (
        "import sys, ml_backend.label_studio; "
        "print([name for name in ('label_studio_sdk', 'pandas', 'httpx') if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


# --- who annotated what ---


def test_many_tasks_are_asked_about_in_pieces(monkeypatch):
    monkeypatch.setattr(data_manager, "TASKS_PER_QUERY", 2)

    def handler(request):
        query = json.loads(request.url.params["query"])
        asked = query["filters"]["items"][0]["value"]
        assert len(asked) <= 2
        rows = [{"id": one, "annotators": [5] * (one % 2)} for one in asked if one != 4]
        return httpx.Response(200, json={"tasks": rows, "total": len(rows)})

    found = label_studio(handler).data_manager.annotators(1, [1, 2, 3, 4, 5])
    assert found == {1: {5}, 2: set(), 3: {5}, 5: {5}}


def test_an_annotation_of_nobody_is_nobodys():
    listed = [{"id": 1, "completed_by": {"id": 7}}, {"id": 2, "completed_by": None}]
    handler = answers(httpx.Response(200, json={"annotations": listed}))
    assert [one["completed_by"] for one in label_studio(handler).annotations(9)] == [7, None]


@pytest.mark.parametrize("expires", ['"x"', "1e308", "null"])
def test_a_personal_token_that_makes_no_sense_is_refused_in_words(expires):
    body = base64.urlsafe_b64encode(f'{{"exp":{expires}}}'.encode()).rstrip(b"=").decode()
    with pytest.raises(LabelStudioError):
        label_studio(answers(httpx.Response(401)), api_key=f"eyJh.{body}.c2ln").whoami()


@pytest.mark.parametrize(
    ("api_key", "kind"),
    [
        (json_web_token(3600, "refresh"), "is a personal access token"),
        ("0123456789abcdef0123456789abcdef01234567", "is a legacy token"),
        ("0123456789abcdef", "is neither a personal access token"),
    ],
)
def test_a_refused_token_is_told_with_its_kind_and_not_shown(api_key, kind):
    handler = answers(httpx.Response(401, json={"detail": "Invalid token."}))
    with pytest.raises(LabelStudioAuthError, match=f"LABEL_STUDIO_API_KEY {kind}") as caught:
        label_studio(handler, api_key=api_key).whoami()
    assert api_key not in str(caught.value)


def test_versions_of_predictions_are_told_truly_whatever_label_studio_counts():
    studio = FakeLabelStudio()
    project_id = studio.add_project("<View/>")
    task_ids = studio.add_tasks(project_id, [{} for _ in range(5)])
    truth = [["v1", "v2"], ["v1", "v1"], ["v1", ""], [], []]
    for task_id, versions in zip(task_ids, truth, strict=True):
        studio.predictions += [{"task": task_id, "model_version": one or None} for one in versions]
    studio.n_stale[task_ids[4]] = 1
    held = studio.client().data_manager.prediction_versions(project_id, [*task_ids, 999])
    assert {task_id: sorted(versions) for task_id, versions in held.items()} == {
        task_id: sorted(versions) for task_id, versions in zip(task_ids, truth, strict=True)
    }
