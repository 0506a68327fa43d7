"""The calls that set a project up: its backends, webhooks, storages and tabs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.label_studio.connection import Connection
from ml_backend.label_studio.task_tab import OWN_TAB, tab_of

Json = dict[str, Any]


class SetupCalls:
    """The part of ``LabelStudio`` that sets projects up."""

    _connection: Connection

    def backends(self, project_id: int) -> list[Json]:
        """List the project's ML backends."""
        return list(self._connection.get("/api/ml", query={"project": project_id}))

    def add_backend(self, project_id: int, **fields: Any) -> Json:
        """Connect an ML backend; Label Studio asks for its health before it answers."""
        return dict(
            self._connection.send("POST", "/api/ml", body={"project": project_id, **fields})
        )

    def update_backend(self, backend_id: int, **fields: Any) -> Json:
        """Change fields of an ML backend; Label Studio asks for its health again."""
        return dict(self._connection.send("PATCH", f"/api/ml/{backend_id}", body=fields))

    def webhooks(self, project_id: int) -> list[Json]:
        """List the project's webhooks."""
        return list(self._connection.get("/api/webhooks", query={"project": project_id}))

    def add_webhook(self, project_id: int, **fields: Any) -> Json:
        """Create a webhook of the project."""
        return dict(
            self._connection.send("POST", "/api/webhooks/", body={"project": project_id, **fields})
        )

    def update_webhook(self, webhook_id: int, **fields: Any) -> Json:
        """Change fields of a webhook."""
        return dict(self._connection.send("PATCH", f"/api/webhooks/{webhook_id}/", body=fields))

    def storages(self, project_id: int) -> list[Json]:
        """List the project's local-files storages."""
        return list(self._connection.get("/api/storages/localfiles", query={"project": project_id}))

    def add_storage(self, project_id: int, **fields: Any) -> Json:
        """Serve the files of a folder to the project's annotators."""
        body = {"project": project_id, **fields}
        return dict(self._connection.send("POST", "/api/storages/localfiles", body=body))

    def views(self, project_id: int) -> list[Json]:
        """List the project's tabs in the Data Manager."""
        return list(self._connection.get("/api/dm/views", query={"project": project_id}))

    def add_view(self, project_id: int, data: Mapping[str, Any]) -> Json:
        """Create a tab in the Data Manager."""
        body = {"project": project_id, "data": dict(data)}
        return dict(self._connection.send("POST", "/api/dm/views/", body=body))

    def add_tab(self, project_id: int, title: str, task_ids: Sequence[int]) -> Json:
        """Create a tab that holds exactly these tasks, with the columns of Earmark's own tab."""
        tabs = [view["data"] for view in self.views(project_id)]
        own: Json = next((tab for tab in tabs if tab.get("title") == OWN_TAB), {})
        return self.add_view(project_id, tab_of(title, task_ids, own))

    def update_view(self, view_id: int, project_id: int, data: Mapping[str, Any]) -> Json:
        """Change a tab in the Data Manager."""
        body = {"project": project_id, "data": dict(data)}
        return dict(self._connection.send("PATCH", f"/api/dm/views/{view_id}/", body=body))

    def order_views(self, project_id: int, view_ids: Sequence[int]) -> None:
        """Put the project's tabs in an order; the first is the one that opens by itself."""
        body = {"project": project_id, "ids": list(view_ids)}
        self._connection.send("POST", "/api/dm/views/order/", body=body)
