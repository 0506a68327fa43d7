"""The layers: imports run downwards, importing is cheap, and each library has one owner."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first. A row imports from the rows above it here, and never from its own.
LAYERS = (
    "clip errors process similarity",
    "audio metadata settings strategies",
    "embedders label_studio store",
    "learning",
    "evaluation",
    "loop",
    "web",
)
# What the importer may know of the backend; its command line sees both whole.
OPEN_TO_IMPORTER = {
    "audio", "clip", "errors", "evaluation", "label_studio", "metadata", "process",
    "settings",
}  # fmt: skip
SEES_ALL = ("importer.cli", "importer.commands.simulate", "importer.commands.serve")

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
    "sklearn": ("ml_backend.learning.classifier", "ml_backend.loop.worker"),  # which warms it up
    "umap": ("ml_backend.similarity.map_layout",),
    "av": ("ml_backend.audio.reading",),
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


def unit(name):
    """Give the part of a package that a module belongs to: ml_backend.store.clips is store."""
    return name.split(".")[1]


def rank(name):
    return next(number for number, row in enumerate(LAYERS) if unit(name) in row.split())


def is_in(name, package):
    return name == package or name.startswith(f"{package}.")


def test_every_part_of_the_backend_has_its_layer():
    parts = {unit(name) for name in TREES if name.startswith("ml_backend.")}
    placed = " ".join(LAYERS).split()
    assert sorted(placed) == sorted(set(placed))
    assert parts - set(placed) == set(), "write these into LAYERS"
    assert set(placed) - parts == set(), "take these out of LAYERS"


@pytest.mark.parametrize(
    ("name", "imported"), [pair for pair in INTERNAL if is_in(pair[0], "ml_backend")]
)
def test_the_backend_imports_downwards(name, imported):
    assert is_in(imported, "ml_backend"), "the backend does without the importer"
    if name != "ml_backend" and unit(name) != unit(imported):
        assert rank(imported) < rank(name)


@pytest.mark.parametrize(
    ("name", "imported"),
    [pair for pair in INTERNAL if is_in(pair[0], "importer") and is_in(pair[1], "ml_backend")],
)
def test_the_importer_knows_little_of_the_backend(name, imported):
    assert name in SEES_ALL or unit(imported) in OPEN_TO_IMPORTER


def test_the_command_line_is_imported_by_nobody():
    assert [name for name, imported in INTERNAL if imported == SEES_ALL[0]] == []


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
