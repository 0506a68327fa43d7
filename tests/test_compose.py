"""The containers: what docker-compose.yml, Dockerfile and .env.example promise each other."""

import json
import re
import subprocess
from dataclasses import fields
from importlib import resources
from pathlib import Path

import check_jsonschema
import jsonschema
import pytest
import yaml
from sqlalchemy import make_url

from importer.demo.label_studio_environment import FLAGS
from ml_backend.settings import Settings
from ml_backend.settings.env_file import parse_env_file

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STUDIO_PYTHON = ROOT / ".venv-studio" / "bin" / "python"

# ${NAME}, ${NAME:-default} or ${NAME:?what to do}; $$ is a plain dollar
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolated(text, given):
    def value(match):
        name, kind, rest = match.groups()
        if given.get(name):
            return given[name]
        assert kind == "-", f"{name} is required"
        return rest

    return VARIABLE.sub(value, str(text)).replace("$$", "$")


def filled_in():
    """The example as a user leaves it: every empty value given one."""
    return {name: value or 10 * "f00d" for name, value in parse_env_file(ENV_EXAMPLE).items()}


def environment(service):
    given = filled_in()
    return {
        name: interpolated(value, given)
        for name, value in SERVICES[service].get("environment", {}).items()
    }


def awaited(service):
    """What is up before a service starts, what that waited for included."""
    direct = set(SERVICES[service].get("depends_on", {}))
    return direct.union(*(awaited(other) for other in direct))


def mounts(service):
    parts = [mount.split(":") for mount in SERVICES[service].get("volumes", [])]
    return {target: (source, mode) for source, target, *mode in parts}


def test_it_is_what_compose_reads():
    folder = resources.files(check_jsonschema) / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(COMPOSE, schema)


def test_every_variable_is_in_the_example_and_the_other_way_round():
    used = {match[1] for match in VARIABLE.finditer(COMPOSE_TEXT)}
    offered = set(re.findall(r"^#?([A-Z_]+)=", ENV_EXAMPLE, flags=re.MULTILINE))
    assert used == offered


def test_nothing_secret_has_a_value_or_a_default():
    secret = re.compile("PASSWORD|SECRET|KEY|TOKEN")
    for name, value in parse_env_file(ENV_EXAMPLE).items():
        assert not (secret.search(name) and value), name
    for match in VARIABLE.finditer(COMPOSE_TEXT):
        assert not secret.search(match[1]) or match[2] == "?", match[0]
    flags = {"LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN", "EDITOR_KEYMAP"}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name) and name not in flags:
                assert VARIABLE.fullmatch(value), name


def test_a_filled_in_env_file_stays_out_of_git():
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_loopback_alone(service):
    for port in SERVICES[service].get("ports", []):
        assert interpolated(port, {}).startswith("127.0.0.1:")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_restarts_and_says_how_it_is(service):
    assert SERVICES[service]["restart"] == "unless-stopped"
    if "build" in SERVICES[service]:
        assert "HEALTHCHECK" in DOCKERFILE
    else:
        assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_until_what_it_needs_is_healthy(service):
    assert all(
        need == {"condition": "service_healthy"}
        for need in SERVICES[service].get("depends_on", {}).values()
    )
    hosts = " ".join(environment(service).values())
    for other in SERVICES.keys() - {service}:
        if re.search(rf"(//|@|^| ){other}(:| |$)", hosts):
            assert other in awaited(service), f"{service} speaks to {other}"


@pytest.mark.parametrize("service", SERVICES)
def test_data_lies_in_named_volumes(service):
    for source, _ in mounts(service).values():
        assert source in COMPOSE["volumes"]


def test_every_volume_is_used():
    used = {source for service in SERVICES for source, _ in mounts(service).values()}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize(
    "image", [service["image"] for service in SERVICES.values() if "build" not in service]
)
def test_images_have_a_version_and_no_host(image):
    assert re.fullmatch(r"(\w+/)?[\w-]+:\d[\d.]*", image)


def test_label_studio_is_the_one_that_is_tested_here():
    pins = (ROOT / "constraints-studio.txt").read_text().splitlines()
    for service in ("label-studio", "label-studio-worker"):
        version = SERVICES[service]["image"].split(":")[1]
        assert f"label-studio=={version}" in pins


def test_label_studio_has_the_flags_of_the_embedded_one():
    assert FLAGS.items() <= environment("label-studio").items()


def test_label_studio_and_its_worker_are_alike_but_for_the_login():
    login = {"LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD", "LABEL_STUDIO_USER_TOKEN"}
    server, worker = environment("label-studio"), environment("label-studio-worker")
    assert server.keys() - worker.keys() == login
    assert {**server, **worker} == server
    assert mounts("label-studio") == mounts("label-studio-worker")


def test_earmark_and_label_studio_share_the_token_and_the_files():
    earmark, studio = environment("earmark"), environment("label-studio")
    assert earmark["LABEL_STUDIO_API_KEY"] == studio["LABEL_STUDIO_USER_TOKEN"]
    root = earmark["EARMARK_FILES_ROOT"]
    assert studio["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == root
    assert mounts("earmark")[root] == ("files", [])
    assert mounts("label-studio")[root] == ("files", ["ro"])


def test_earmark_is_given_settings_that_exist():
    given = environment("earmark")
    assert given.keys() <= {entry.metadata["name"] for entry in fields(Settings)}
    settings = Settings.from_env(given)
    assert settings.label_studio_url == "http://label-studio:8080"
    assert settings.store_url.startswith("postgresql+psycopg://")


def test_label_studio_calls_earmark_by_a_name_with_a_dot():
    host = re.fullmatch(r"http://([\w.]+):9090", environment("earmark")["EARMARK_URL"])[1]
    assert "." in host
    assert host in SERVICES["earmark"]["networks"]["default"]["aliases"]


def test_each_has_a_database_of_its_own_which_postgres_makes_at_first():
    studio = environment("label-studio")
    earmark = make_url(environment("earmark")["EARMARK_DATABASE_URL"])
    assert (studio["POSTGRE_HOST"], studio["POSTGRE_PORT"]) == ("db", "5432")
    assert (earmark.host, earmark.port) == ("db", 5432)
    script = COMPOSE["configs"]["databases"]["content"]
    for role, database in [
        (studio["POSTGRE_USER"], studio["POSTGRE_NAME"]),
        (earmark.username, earmark.database),
    ]:
        assert f"CREATE ROLE {role} LOGIN PASSWORD :'{role}';" in script
        assert f"CREATE DATABASE {database} OWNER {role};" in script
    for name in re.findall(r"\$\$(\w+)", script):
        assert name in environment("db")
    assert "$" not in script.replace("$$", "")


def test_every_config_is_mounted_somewhere():
    mounted = {
        config["source"] for service in SERVICES.values() for config in service.get("configs", [])
    }
    assert mounted == set(COMPOSE["configs"])


def test_no_host_is_named_that_packages_or_images_come_from():
    for text in (COMPOSE_TEXT, DOCKERFILE, ENV_EXAMPLE):
        for host in re.findall(r"https?://([^/:'\"\s]+)", text):
            assert host in {"...", "127.0.0.1", "label-studio", "earmark.internal"}


def test_the_image_runs_the_backend_as_nobody_special():
    lines = DOCKERFILE.splitlines()
    final = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert final[0] == "FROM python:3.11-slim"
    assert [line for line in final if line.startswith("USER ")] == ["USER earmark"]
    assert final[-1] == 'CMD ["earmark", "serve"]'
    made = re.search(r"mkdir (.*) \\", DOCKERFILE)[1].split()
    assert set(made) == set(mounts("earmark"))


def test_what_the_image_copies_is_there_and_is_sent():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE):
        for source in sources.replace("[t]", "t").split():
            assert (ROOT / source).exists()
            assert f"!{source}" in allowed


@pytest.mark.live
def test_label_studio_takes_the_settings_that_switch_redis_on(tmp_path):
    if not STUDIO_PYTHON.exists():
        pytest.skip("needs Label Studio in .venv-studio; run `make studio`")
    module = COMPOSE["configs"]["label-studio-with-redis"]["content"]
    (tmp_path / "with_redis.py").write_text(interpolated(module, {}))
    settings = subprocess.run(
        [
            STUDIO_PYTHON,
            "-c",
            "import sys, label_studio, pathlib, json\n"
            "sys.path.insert(0, str(pathlib.Path(label_studio.__file__).parent))\n"
            "from django.conf import settings\n"
            "hosts = {name: queue['HOST'] for name, queue in settings.RQ_QUEUES.items()}\n"
            "print('\\n' + json.dumps([settings.REDIS_ENABLED, hosts]))\n",
        ],
        env={
            "DJANGO_SETTINGS_MODULE": environment("label-studio")["DJANGO_SETTINGS_MODULE"],
            "PYTHONPATH": str(tmp_path),
            "LABEL_STUDIO_BASE_DATA_DIR": str(tmp_path / "data"),
            "SENTRY_DSN": "",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    is_enabled, hosts = json.loads(settings.stdout.splitlines()[-1])
    assert is_enabled
    assert set(hosts.values()) == {"redis"}
    queues = SERVICES["label-studio-worker"]["command"].split("--with-scheduler ")[1].split()
    assert set(queues) == set(hosts)
