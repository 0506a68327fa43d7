"""Set up a project of Label Studio for the loop, and mend one that no longer fits.

Every step looks first at what is there: run again, ``set_up`` changes nothing, or mends what is
missing and says so. What people may have shaped to their taste (label config, instructions, the
tab) is made once and then left alone, but for the links to the backend's pages and for what an
earlier version wrote and nobody changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from importer.setup import page_links
from importer.setup.connect import check_backend_url, connect_backend
from importer.setup.data_manager_tab import ensure_tab
from importer.setup.instructions import renew_instructions, write_instructions
from ml_backend.errors import (
    LabelConfigError,
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, label_config_xml, parse_label_config
from ml_backend.label_studio.labeling_page import is_earlier_page
from ml_backend.label_studio.task_tab import OWN_TAB

CLIPS_FOLDER = "clips"

# The queue serves the lowest score first, and a skipped clip ("cannot tell") to nobody again.
OPTIONS = {
    "sampling": "Uncertainty sampling",
    "skip_queue": "IGNORE_SKIPPED",
    "show_skip_button": True,
}


@dataclass(frozen=True)
class SetupReport:
    """What was done to a project; no changes means that everything was in place."""

    project_id: int
    title: str
    url: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class _Site:
    """One project while it is set up."""

    label_studio: LabelStudio
    project: dict[str, Any]
    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def project_id(self) -> int:
        return int(self.project["id"])

    def update(self, change: str, **fields: Any) -> None:
        self.project = self.label_studio.update_project(self.project_id, **fields)
        self.changes.append(change)


def set_up(
    label_studio: LabelStudio,
    *,
    backend_url: str,
    secret: str,
    title: str = "Earmark",
    project_id: int | None = None,
    labels: Sequence[str] = (),
    label_config: str | None = None,
    multi_label: bool = False,
    replace_label_config: bool = False,
    is_blind: bool | None = None,
    files_dir: Path | None = None,
    pages_url: str = "",
) -> SetupReport:
    """Create a project, or mend it, until Label Studio and the backend work as one.

    Parameters
    ----------
    backend_url
        Where Label Studio reaches the backend; the backend must answer there.
    secret
        What Label Studio shows the backend.
    title, project_id
        Which project; by its title one is created where there is none.
    labels, multi_label
        Classes to choose from, one or several per clip, for a new project.
    label_config
        XML to use instead of ``labels``.
    replace_label_config
        Whether a project that asks something else is to ask this from now on.
    is_blind
        Hide predictions from annotators, show them, or (None) leave it as it is.
    files_dir
        The folder of prepared files as Label Studio sees it; None where clips are not served
        as local files.
    pages_url
        Where browsers reach the backend's pages; empty means ``backend_url``.

    Raises
    ------
    SettingsError
        If Label Studio would not send events to the backend's address.
    LabelConfigError
        If the label config is nothing that Earmark can learn, or is missing.
    LabelStudioError
        If Label Studio refuses a step; what was done before it stays done.
    """
    check_backend_url(backend_url)
    if label_config is None and labels:
        label_config = label_config_xml(labels, multi_label=multi_label)
    if label_config is not None:
        parse_label_config(label_config)
    site = _find_or_create(label_studio, title, project_id, label_config, bool(is_blind))
    _ask(site, label_config, replace_label_config)
    config = _renew_page(site)
    _set_options(site, config, is_blind)
    _link_pages(site, (pages_url or backend_url).rstrip("/"))
    if ensure_tab(label_studio, site.project_id, {}):
        site.changes.append(f"put the tab {OWN_TAB!r} of the Data Manager in queue order")
    if files_dir is not None:
        _serve_files(site, files_dir / CLIPS_FOLDER)
    site.changes += connect_backend(label_studio, site.project_id, backend_url, secret)
    return SetupReport(
        project_id=site.project_id,
        title=str(site.project["title"]),
        url=f"{label_studio.url}/projects/{site.project_id}",
        changes=tuple(site.changes),
        warnings=tuple(site.warnings),
    )


def _find_or_create(
    label_studio: LabelStudio,
    title: str,
    project_id: int | None,
    label_config: str | None,
    is_blind: bool,
) -> _Site:
    if project_id is not None:
        return _Site(label_studio, label_studio.project(project_id))
    found = [project for project in label_studio.projects() if project["title"] == title]
    if len(found) > 1:
        numbers = ", ".join(str(project["id"]) for project in found)
        raise LabelStudioError(
            f"{len(found)} projects are called {title!r} ({numbers}); say which by its number."
        )
    if found:
        return _Site(label_studio, label_studio.project(found[0]["id"]))
    if label_config is None:
        raise LabelConfigError(
            f"There is no project called {title!r} yet, and a new one needs labels: "
            "name at least two, or give a label config."
        )
    project = label_studio.create_project(
        title=title,
        label_config=label_config,
        **_options(parse_label_config(label_config), is_blind),
    )
    return _Site(label_studio, project, changes=[f"created the project {title!r}"])


def _ask(site: _Site, label_config: str | None, replace: bool) -> None:
    """Make sure that the project asks something that can be learned."""
    present = site.project["label_config"]
    is_empty = present.strip() in ("", "<View></View>", "<View/>")
    if label_config is not None and present != label_config and (is_empty or replace):
        site.update("wrote the label config", label_config=label_config)
        if not is_empty and site.project["num_tasks_with_annotations"]:
            site.warnings.append(
                "The label config was replaced under existing annotations; those with labels "
                "that are no longer asked for do not count."
            )
        return
    asked = parse_label_config(present)
    if label_config is None:
        return
    wanted = parse_label_config(label_config)
    if (asked.class_names, asked.multi_label) != (wanted.class_names, wanted.multi_label):
        site.warnings.append(
            f"The project keeps its own labels ({', '.join(asked.class_names)}). "
            "To replace them, set it up again and ask for it."
        )


def _renew_page(site: _Site) -> LabelConfig:
    """Bring a label config that Earmark wrote up to date; say what people's own one lacks."""
    present = site.project["label_config"]
    config = parse_label_config(present)
    if is_earlier_page(present, config.class_names, multi_label=config.multi_label):
        newer = label_config_xml(config.class_names, multi_label=config.multi_label)
        try:
            site.update("renewed the labeling page", label_config=newer)
        except (LabelStudioUnreachableError, LabelStudioAuthError):
            raise
        except LabelStudioError as error:
            site.warnings.append(f"Label Studio keeps the earlier labeling page. {error}")
    elif not (config.multi_label or config.is_required):
        site.warnings.append(
            "The project's own label config lets people submit a clip without a label: the key of "
            f'a chosen label clears it. Add required="true" to <Choices name="{config.from_name}">.'
        )
    return parse_label_config(site.project["label_config"])


def _options(config: LabelConfig, is_blind: bool | None) -> dict[str, Any]:
    options: dict[str, Any] = dict(OPTIONS)
    if config.none_name is not None or not config.multi_label:
        options["enable_empty_annotation"] = False
    if is_blind is not None:
        options["show_collab_predictions"] = not is_blind
    return options


def _set_options(site: _Site, config: LabelConfig, is_blind: bool | None) -> None:
    wanted = _options(config, is_blind)
    wrong = {name: value for name, value in wanted.items() if site.project[name] != value}
    if wrong:
        site.update(f"set {', '.join(sorted(wrong))}", **wrong)
    present = str(site.project["expert_instruction"] or "")
    renewed = renew_instructions(present, config)
    if not present:
        text = write_instructions(config)
        site.update("wrote the instructions", expert_instruction=text, show_instruction=True)
    elif renewed != present:
        site.update("renewed the instructions", expert_instruction=renewed)


def _link_pages(site: _Site, pages_url: str) -> None:
    present = {
        name: str(site.project[name] or "") for name in ("description", "expert_instruction")
    }
    wanted = {
        "description": page_links.describe(present["description"], pages_url, site.project_id),
        "expert_instruction": page_links.instruct(
            present["expert_instruction"], pages_url, site.project_id
        ),
    }
    if wanted != present:
        site.update("linked the map and the progress page", **wanted)


def _serve_files(site: _Site, folder: Path) -> None:
    folder = folder.absolute()
    for storage in site.label_studio.storages(site.project_id):
        if folder.is_relative_to(storage["path"]):
            return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        site.label_studio.add_storage(
            site.project_id, title="Earmark clips", path=str(folder), use_blob_urls=True
        )
    except (LabelStudioUnreachableError, LabelStudioAuthError):
        raise
    except LabelStudioError as error:
        raise LabelStudioError(
            f"Label Studio does not serve {folder}; the folder must lie below its "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT. {error}"
        ) from None
    site.changes.append(f"let Label Studio serve {folder}")
