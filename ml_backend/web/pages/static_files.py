"""Pages, and the static files they are made of: scripts, styles and images from this package.

A static file's address holds a digest of all of them, so that browsers keep each for good and yet
never mix two releases: modules import each other by relative paths, which stay below the digest.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from ml_backend.web.pages.constants import CONSTANTS
from ml_backend.web.services import services

STATIC_DIR = Path(__file__).parents[1] / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


blueprint = Blueprint("static_files", __name__)
blueprint.app_context_processor(lambda: {"constants": CONSTANTS})


@blueprint.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> ResponseReturnValue:
    """Return a static file, kept for good where the digest is the present one."""
    files = _files()
    if name not in files:
        abort(404)
    content = files[name].read_bytes()
    kind = _TYPES.get(files[name].suffix, "application/octet-stream")
    answer = Response(content, mimetype=kind)
    answer.headers["Cache-Control"] = _FOR_GOOD if digest == static_digest() else "no-cache"
    answer.set_etag(hashlib.sha256(content).hexdigest()[:32])
    return answer.make_conditional(request)


@blueprint.get("/projects/<int:project_id>/map")
def map_page(project_id: int) -> ResponseReturnValue:
    """Return the map."""
    return render_page("map.html", project_id, here="map")


@blueprint.get("/projects/<int:project_id>/label")
def label_page(project_id: int) -> ResponseReturnValue:
    """Return the page for labeling."""
    return render_page("label.html", project_id, here="label")


def render_page(template: str, project_id: int, **values: object) -> str:
    """Render a page of a project, with its title and its address in Label Studio."""
    title = services().store.agenda.description(project_id)["title"] or f"Project {project_id}"
    address = f"{services().settings.studio_pages_url}/projects/{project_id}/data"
    return render_template(
        template, project_id=project_id, title=title, label_studio_address=address, **values
    )


def static_digest() -> str:
    """Return a digest of the names and contents of all static files."""
    return _digest(tuple((path, path.stat().st_mtime_ns) for path in _files().values()))


@lru_cache(maxsize=1)
def _digest(files: tuple[tuple[Path, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _ in files:
        name = path.relative_to(STATIC_DIR).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


@blueprint.app_template_global("asset")
def _asset(name: str) -> str:
    return f"/static/{static_digest()}/{name}"


def _files() -> dict[str, Path]:
    return {
        path.relative_to(STATIC_DIR).as_posix(): path
        for path in sorted(STATIC_DIR.rglob("*"))
        if path.is_file()
    }
