"""The layers: imports run downwards, importing is cheap, and each library has one owner."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first: what each part imports of the others. A part names parts above it here only.
PARTS = {
    "errors": "",
    "clip": "",
    "process": "",
    "similarity": "",
    "audio": "errors",
    "settings": "errors",
    "metadata": "clip errors",
    "strategies": "errors similarity",
    "embedders": "audio errors process",
    "label_studio": "clip errors metadata",
    "store": "clip errors metadata",
    "learning": "clip embedders errors label_studio settings similarity strategies",
    "evaluation": "clip errors label_studio learning store strategies",
    "loop": "audio clip embedders errors evaluation label_studio learning metadata process "
    "settings similarity store strategies",
    "web.http": "errors metadata",
    "web.access": "errors label_studio settings store web.http",
    "web.snapshot": "audio clip embedders errors label_studio learning loop metadata settings "
    "similarity store",
    "web.labeling": "errors label_studio web.access",
    "web.services": "label_studio loop settings store web.access web.labeling web.snapshot",
    "web.api": "audio clip embedders errors evaluation label_studio learning loop metadata "
    "similarity store web.access web.http web.labeling web.services web.snapshot",
    "web.pages": "audio clip errors evaluation label_studio learning loop metadata store "
    "web.access web.api web.http web.services web.snapshot",
    "web.app": "errors label_studio settings web.access web.api web.http web.pages web.services",
    "web": "web.app",
    "web.server": "errors loop process settings store web.access web.app",
    "importer.setup": "errors label_studio",
    "importer": "audio clip errors importer.setup label_studio metadata process settings",
    "importer.demo": "errors importer label_studio settings",
    "importer.commands": "clip embedders errors evaluation importer importer.demo importer.setup "
    "label_studio learning loop settings store strategies web.server",
    "importer.cli": "errors importer importer.commands importer.setup label_studio settings",
}
OWNERS = {
    "flask": ("ml_backend.web",),
    "werkzeug": ("ml_backend.web",),
    "gunicorn": ("ml_backend.web",),
    "cryptography": ("ml_backend.web",),
    "itsdangerous": ("ml_backend.web",),
    "prometheus_client": ("ml_backend.web",),
    "sqlalchemy": ("ml_backend.store", "ml_backend.store.migrations"),
    "alembic": ("ml_backend.store", "ml_backend.store.migrations"),
    "label_studio_sdk": ("ml_backend.label_studio",),
    "torch": ("ml_backend.embedders",),
    "torchaudio": ("ml_backend.embedders",),
    "onnxruntime": ("ml_backend.embedders",),
    "librosa": ("ml_backend.embedders",),
    "sklearn": (
        "ml_backend.learning.calibrated_fit",
        "ml_backend.loop.worker",
    ),  # which warms it up
    "umap": ("ml_backend.similarity.map_layout",),
    "av": ("ml_backend.audio.decoders",),
    "matplotlib": ("importer.commands.curve_report",),
    "pyarrow": ("importer.table",),
    "dotenv": ("ml_backend.settings.env_file",),
    "typer": (
        "importer.cli",
        "importer.commands.queue",
        "importer.commands.options",
        "importer.commands.simulate",
        "importer.commands.serve",
        "importer.commands.output",
    ),
}
# These read or build environments; everything else is handed its settings.
KNOW_THE_ENVIRONMENT = {"ml_backend.settings", "importer.demo.running"}

# The networks are the one place that opens with `import torch`; who needs them imports them late.
TORCH_AT_THE_TOP = {"ml_backend.embedders.mn"}
HEAVY = (
    "torch",
    "torchaudio",
    "umap",
    "sklearn",
    "librosa",
    "matplotlib",
    "flask",
    "pandas",
    "onnxruntime",
    "av",
)


def find_modules():
    """Map every module of both packages to its syntax tree."""
    trees = {}
    for package in ("ml_backend", "importer"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


TREES = find_modules()


def imports_of(tree):
    """List what a module imports anywhere, in functions too, as names of modules."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the package that is imported from"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(inner & TREES.keys() or {node.module})
    return names


IMPORTS = {name: imports_of(tree) for name, tree in TREES.items()}
INTERNAL = [
    (name, imported)
    for name, imports in IMPORTS.items()
    for imported in sorted(imports & TREES.keys())
]


def part(name):
    """Give the part that a module belongs to: ml_backend.store.clips is store."""
    first, *rest = name.split(".")
    inside = {"ml_backend": "", "importer": "importer."}[first]
    candidates = [inside + ".".join(rest[:n]) for n in (2, 1)] if rest else []
    return next((one for one in candidates if one in PARTS), inside.rstrip("."))


def is_in(name, package):
    return name == package or name.startswith(f"{package}.")


def test_every_module_belongs_to_a_part():
    assert {part(name) for name in TREES} - {""} == set(PARTS)


def test_parts_import_only_what_the_table_says():
    found = {name: set() for name in PARTS}
    for name, imported in INTERNAL:
        if part(name) != part(imported):
            found[part(name)].add(part(imported))
    assert {name: " ".join(sorted(parts)) for name, parts in found.items()} == PARTS


def test_the_table_runs_downwards():
    order = list(PARTS)
    for name, parts in PARTS.items():
        assert set(parts.split()) <= set(order[: order.index(name)]), name


def test_the_command_line_is_imported_by_nobody():
    assert [name for name, imported in INTERNAL if imported == "importer.cli"] == []


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: imports & TREES.keys() for name, imports in IMPORTS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_owner(library):
    strangers = [
        name
        for name, imports in IMPORTS.items()
        if any(is_in(imported, library) for imported in imports)
        and not any(is_in(name, owner) for owner in OWNERS[library])
    ]
    assert strangers == []


def test_the_environment_is_read_in_one_place():
    readers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"))
        or (isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv"))
    }
    assert readers <= KNOW_THE_ENVIRONMENT


def test_nothing_is_pickled():
    picklers = {"pickle", "joblib", "dill", "cloudpickle", "shelve"}
    allowed = {("ml_backend.embedders.mn", "pickle")}  # for the error that damaged weights raise
    used = {
        (name, imported)
        for name, imports in IMPORTS.items()
        for imported in imports
        if imported.split(".")[0] in picklers
    }
    assert used <= allowed


@pytest.mark.slow
def test_importing_is_cheap():
    light = [
        name
        for name in TREES
        if name not in TORCH_AT_THE_TOP
        and not is_in(name, "ml_backend.web")
        and not is_in(name, "ml_backend.store.migrations.env")
        and not is_in(name, "ml_backend.store.migrations.versions")
    ]
    check = (
        f"import importlib, sys\n"
        f"for name in {light!r}:\n"
        f"    importlib.import_module(name)\n"
        f"    heavy = [library for library in {HEAVY!r} if library in sys.modules]\n"
        f"    assert not heavy, f'importing {{name}} loads {{heavy}}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_importing_does_nothing(tmp_path):
    light = [name for name in TREES if is_in(name, "importer") or name == "ml_backend.loop.worker"]
    check = (
        f"import importlib, threading\n"
        f"for name in {light!r}:\n"
        f"    importlib.import_module(name)\n"
        f"assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
