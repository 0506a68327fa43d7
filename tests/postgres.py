"""A PostgreSQL server of the tests' own: one folder, one port, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_FOLDERS = [Path("/usr/lib/postgresql"), Path("/usr/local/lib/postgresql")]


def _program(name: str) -> str:
    for folder in _FOLDERS:
        for found in sorted(folder.glob(f"*/bin/{name}"), reverse=True):
            return str(found)
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs PostgreSQL's server programs ({name})")
    return found


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; give the SQLAlchemy address of its database, without the database's name."""
    initdb, postgres = _program("initdb"), _program("postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="earmark-pg-"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "earmark", "--auth=trust", "-E", "UTF8", "--locale=C"],
        check=True,
        capture_output=True,
        user=user,
        cwd=folder,
    )
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
    server = subprocess.Popen(
        [postgres, "-D", data, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        cwd=folder,
    )
    try:
        _wait(port, server)
        yield f"postgresql+psycopg://earmark@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    import psycopg

    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL ended while it was starting")
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user="earmark", dbname="postgres").close()
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not answer within 20 s")


def create_database(server: str, name: str) -> str:
    """Make a database; give its SQLAlchemy address."""
    from sqlalchemy import create_engine, text

    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{server}/{name}"
