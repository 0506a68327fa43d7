"""Ports of this machine: which are in use, and which are free."""

import socket
from contextlib import suppress

LOOPBACK = "127.0.0.1"


def free_port(preferred: int) -> int:
    """Return the preferred port, or any other that nothing listens on."""
    if not listens(preferred):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, preferred))
            return int(probe.getsockname()[1])
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Check whether something on this machine listens on a port."""
    try:
        # Label Studio itself looks at this name, which may be ::1 as well as 127.0.0.1.
        with socket.create_connection(("localhost", port), timeout=1.0):
            return True
    except OSError:
        return False
