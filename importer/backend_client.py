"""Talking to the running backend: how things stand, and which clips are requested first."""

import time
from collections.abc import Callable
from typing import Any

from importer.setup.page_links import arrival, map_path
from ml_backend.errors import EarmarkError, RequestError, SettingsError
from ml_backend.label_studio.credentials import USER
from ml_backend.settings import Settings, find_secret

_TIMEOUT_S = 10.0
_PAUSE_S = 0.2


class BackendSilentError(EarmarkError):
    """The backend does not answer."""


class Backend:
    """One running backend, seen by somebody who knows its secret."""

    def __init__(self, settings: Settings) -> None:
        import httpx

        self.url = settings.backend_url
        self._settings = settings
        self._client = httpx.Client(base_url=self.url, timeout=_TIMEOUT_S)

    def status(self) -> dict[str, Any]:
        """Read ``/status``.

        Raises
        ------
        BackendSilentError
            If nothing answers there, or something else.
        SettingsError
            If the backend there has another secret.
        """
        return self._call("GET", "/status")

    def project(self, project_id: int) -> dict[str, Any] | None:
        """Describe one project, or None where the backend does not know it."""
        projects = self.status()["projects"]
        return next((one for one in projects if one["project"] == project_id), None)

    def known_project(self, project_id: int) -> dict[str, Any]:
        """Describe one project that the backend looks after.

        Raises
        ------
        RequestError
            If it does not; with those that it does.
        """
        projects = self.status()["projects"]
        for one in projects:
            if one["project"] == project_id:
                return dict(one)
        known = ", ".join(f"{one['project']} ({one['title']})" for one in projects)
        raise RequestError(
            f"The backend looks after no project {project_id}, but after {known or 'none'}. "
            f"'earmark setup --project {project_id}' connects it, if Label Studio has it."
        )

    def only_project(self) -> int:
        """Return the number of the one project there is.

        Raises
        ------
        SettingsError
            If there are none, or several.
        """
        projects = self.status()["projects"]
        if len(projects) != 1:
            raise SettingsError(
                f"The backend looks after {len(projects)} projects. Which? Give --project N."
            )
        return int(projects[0]["project"])

    def queue(self, project_id: int) -> dict[str, Any]:
        """Read which clips are requested first in a project.

        Raises
        ------
        RequestError
            If the backend does not know the project.
        """
        return self._call("GET", f"/projects/{project_id}/queue")

    def ask_first(self, project_id: int, where: str) -> dict[str, Any]:
        """Request the clips first that a condition is true of.

        Raises
        ------
        RequestError
            If the condition does not fit the project's clips, in the backend's words.
        """
        return self._call("POST", f"/projects/{project_id}/queue", {"where": where})

    def clear_queue(self, project_id: int) -> dict[str, Any]:
        """Request no clips first any more."""
        return self._call("DELETE", f"/projects/{project_id}/queue")

    def ticket(self, token: str) -> str:
        """Have a ticket made that signs in the owner of a Label Studio token, once.

        Raises
        ------
        BackendSilentError
            As ``status``, or if the backend does not reach Label Studio.
        SettingsError
            As ``status``, or if Label Studio does not know the token.
        """
        try:
            return str(self._call("POST", "/tickets", {"token": token})["ticket"])
        except RequestError as error:
            raise SettingsError(f"{error} (LABEL_STUDIO_API_KEY)") from None

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        import httpx

        # Read at every call: a backend that starts meanwhile may have made its secret just now.
        auth = (USER, find_secret(self._settings))
        try:
            response = self._client.request(method, path, json=body, auth=auth)
            while response.status_code == 202:  # it is being made
                time.sleep(_PAUSE_S)
                response = self._client.request(method, path, json=body, auth=auth)
        except (httpx.TransportError, httpx.InvalidURL):
            raise BackendSilentError(
                f"No backend answers at {self.url}. Start it with 'earmark serve'."
            ) from None
        if response.status_code == 401:
            raise SettingsError(
                f"The backend at {self.url} has another secret; set EARMARK_SECRET to the one "
                "it was started with, or EARMARK_DATA to its data folder."
            )
        try:
            answer = dict(response.json())
        except ValueError:
            answer = {}
        if response.status_code in (400, 404) and "error" in answer:
            raise RequestError(str(answer["error"]))
        if response.status_code != 200:
            raise BackendSilentError(f"{self.url}{path} answers {response.status_code}.")
        if not answer:
            raise BackendSilentError(
                f"Something else than Earmark answers at {self.url}; "
                "set EARMARK_PORT, or EARMARK_URL, to where the backend is."
            )
        return answer

    def wait_until(
        self,
        is_done: Callable[[dict[str, Any]], bool],
        is_alive: Callable[[], bool],
        limit_s: float,
    ) -> None:
        """Read the status until it is as wanted.

        Raises
        ------
        BackendSilentError
            If what runs the backend has ended, or the limit is passed.
        """
        deadline = time.monotonic() + limit_s
        while is_alive() and time.monotonic() < deadline:
            try:
                if is_done(self.status()):
                    return
            except BackendSilentError:
                pass
            time.sleep(_PAUSE_S)
        reason = "not ready in time" if is_alive() else "ended"
        raise BackendSilentError(f"The backend at {self.url} is {reason}; its log says why.")


def map_link(settings: Settings, backend: Backend, project_id: int) -> str:
    """Have a link made to a project's map that arrives signed in, once."""
    return arrival(settings.pages_url, backend.ticket(settings.api_key), map_path(project_id))
