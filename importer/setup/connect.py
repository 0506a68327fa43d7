"""Connect the backend to a project: events to it, predictions from it, both with its secret."""

from typing import Any
from urllib.parse import urlsplit

from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError, SettingsError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.credentials import PROJECT_HEADER, SECRET_HEADER, USER

BACKEND_TITLE = "Earmark"


def connect_backend(
    label_studio: LabelStudio, project_id: int, backend_url: str, secret: str
) -> list[str]:
    """Connect the backend, or mend its connection; say what was done.

    Raises
    ------
    LabelStudioError
        If Label Studio refuses, for example because the backend does not answer.
    """
    wanted = _wanted_webhook(project_id, backend_url, secret)
    ours = [
        webhook
        for webhook in label_studio.webhooks(project_id)
        if webhook["url"] == wanted["url"] or SECRET_HEADER in webhook["headers"]
    ]
    done = []
    if not ours:
        # Before the backend: otherwise Label Studio makes one by itself, without the secret.
        label_studio.add_webhook(project_id, **wanted)
        done.append(f"had events sent to {wanted['url']}")
    is_secret_known = bool(ours) and ours[0]["headers"].get(SECRET_HEADER) == secret
    done += _connect(label_studio, project_id, backend_url, secret, is_secret_known)
    if ours and any(ours[0][name] != value for name, value in wanted.items()):
        label_studio.update_webhook(ours[0]["id"], **wanted)
        done.append(f"mended the events sent to {wanted['url']}")
    if label_studio.project(project_id)["model_version"] == BACKEND_TITLE:
        # Label Studio takes a new backend for the model; its queue would be a random one.
        label_studio.update_project(project_id, model_version="")
    return done


def check_backend_url(url: str) -> None:
    """Refuse an address at which Label Studio would call nobody, or send no events.

    Raises
    ------
    SettingsError
        With a name that would do.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError(f"EARMARK_URL is {url!r}; it must look like http://host:9090.")
    if host in ("0.0.0.0", "::"):  # noqa: S104
        raise SettingsError(
            f"{url} is no address that Label Studio can call; set EARMARK_URL to one that is."
        )
    if "." not in host and ":" not in host and host != "localhost":
        raise SettingsError(
            f"Label Studio sends no events to {url}, because its host {host!r} has no dot. "
            f"Give it another name, such as {host}.internal (in compose: a network alias), "
            "and set EARMARK_URL."
        )


def _wanted_webhook(project_id: int, backend_url: str, secret: str) -> dict[str, Any]:
    # Without its payload an event is 30 bytes instead of all imported tasks, and Label Studio
    # waits for it to be sent; the project's number travels in a header instead.
    return {
        "url": f"{backend_url.rstrip('/')}/webhook",
        "headers": {SECRET_HEADER: secret, PROJECT_HEADER: str(project_id)},
        "send_payload": False,
        "send_for_all_actions": True,
        "is_active": True,
    }


def _connect(
    label_studio: LabelStudio,
    project_id: int,
    backend_url: str,
    secret: str,
    is_secret_known: bool,
) -> list[str]:
    wanted = {
        "url": backend_url.rstrip("/"),
        "title": BACKEND_TITLE,
        "is_interactive": False,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": USER,
    }
    found = [
        backend
        for backend in label_studio.backends(project_id)
        if backend["url"].rstrip("/") == wanted["url"] or backend["title"] == BACKEND_TITLE
    ]
    is_right = bool(found) and all(found[0][name] == value for name, value in wanted.items())
    if is_right and is_secret_known and found[0]["state"] == "CO":
        return []
    fields = {"basic_auth_pass": secret, **wanted}
    try:
        if found:
            label_studio.update_backend(found[0]["id"], project=project_id, **fields)
            return [f"mended the connection to {backend_url}"]
        label_studio.add_backend(project_id, **fields)
    except LabelStudioUnreachableError:
        raise
    except LabelStudioError as error:
        raise LabelStudioError(
            f"Project {project_id} could not be connected to {backend_url}. {_remedy(str(error))}"
        ) from None
    return [f"connected the backend at {backend_url}"]


def _remedy(said: str) -> str:
    if "reserved network" in said:
        remedy = (
            "Start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false: "
            "the backend's address is a private one."
        )
    else:
        remedy = "Start the backend (`earmark serve`), check EARMARK_URL, and set up again."
    return f"{remedy} ({said})"
