"""A Ray cluster that shares the workspace's folder: joining it, and what its machines have."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from recon3d.core.errors import ClusterError
from recon3d.run.files import explain_write_errors
from recon3d.run.software import software_here

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 120.0
"""For all machines to answer; each may have to start a process and to read a slow disk."""
_SEEN_SECONDS = 10.0
"""Until a new file of another machine must be seen in a shared folder."""
_GUIDE = "docs/CLUSTER.md says how machines are set up."


@dataclass(frozen=True)
class Machine:
    """One node of the cluster."""

    address: str
    node_id: str
    cpus: int
    gpus: int
    memory_bytes: int
    """What items may take together."""
    software: dict[str, str] = field(default_factory=dict)
    """Versions by name; empty where recon3d does not run there."""
    sees_folder: bool = False
    """Reads and writes the shared folder."""
    trouble: str = ""
    """Why it cannot take part; empty where it can."""


def ray_library() -> ModuleType:
    """Ray, which nothing imports before someone names a cluster.

    Raises:
        ClusterError: it is not installed.
    """
    # Read when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            "Clusters need the package ray, which is not installed.",
            hint='Install it on every machine: pip install ".[cluster]" in the checkout.',
        ) from error
    return ray


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be a part of the cluster while the block runs; a process that is already stays one.

    address: HOST:PORT of its head, or auto for the one that this machine belongs to.

    Raises:
        ClusterError: there is none, or this machine is no part of it.
    """
    ray = ray_library()
    if ray.is_initialized():
        yield
        return
    _check_address(address)
    try:
        ray.init(
            address=address, namespace="recon3d", log_to_driver=False,
            logging_level=logging.CRITICAL,
        )  # fmt: skip
    # Ray has no common class for what can go wrong here.
    except Exception as error:
        raise ClusterError(
            f"The cluster at {address} cannot be joined: {_first_line(error)}",
            hint="This machine must belong to it (ray start --address=HOST:PORT), with the same "
            f"versions of Python and ray. {_GUIDE}",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def check_machines(address: str, folder: Path) -> None:
    """Let every machine of the joined cluster show that it sees the folder, and has our software.

    Raises:
        ClusterError: one cannot take part; tells which and why.
    """
    machines = look_at_machines(folder)
    unfit = [machine for machine in machines if machine.trouble]
    if unfit:
        told = "; ".join(f"{machine.address} {machine.trouble}" for machine in unfit)
        raise ClusterError(
            f"{len(unfit)} of {len(machines)} machines of the cluster cannot take part: {told}.",
            hint=f"`recon3d doctor --cluster {address}` shows all machines. {_GUIDE}",
        )
    cpus = sum(machine.cpus for machine in machines)
    if not cpus:
        raise ClusterError(
            f"No machine of the cluster at {address} offers a processor.",
            hint="Start one with ray start --address=HOST:PORT --num-cpus=8.",
        )
    _log.info("cluster of %d machines with %d processors", len(machines), cpus)


def look_at_machines(folder: Path) -> list[Machine]:
    """What each machine of the joined cluster has, in the order of their addresses.

    folder: That all of them must see; a file is written there for a moment.

    Raises:
        OutputError: the folder cannot be written from here.
    """
    ray = ray_library()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Other machines work in other folders.
    token = folder.absolute() / f".recon3d-{secrets.token_hex(8)}"
    content = secrets.token_hex(16)
    with explain_write_errors(token):
        token.write_text(content, encoding="ascii")
    look = ray.remote(look_around)
    asked: dict[str, tuple[Machine, Any]] = {}
    try:
        for machine in machines_alive():
            # No processor: machines answer while all of theirs are busy.
            here = look.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(machine.node_id, soft=False),
            ).remote(str(token), content, machine.node_id)
            asked[machine.node_id] = machine, here
        ray.wait(
            [each for _, each in asked.values()], num_returns=len(asked), timeout=_LOOK_SECONDS
        )
        return [_as_seen(machine, each, token) for machine, each in asked.values()]
    finally:
        for path in (token, *(_answer(token, node_id) for node_id in asked)):
            with suppress(OSError):
                path.unlink()


def machines_alive() -> list[Machine]:
    """The machines of the joined cluster, nothing of which has been looked at."""
    found = []
    for node in ray_library().nodes():
        if node["Alive"]:
            has = node["Resources"]
            found.append(
                Machine(
                    node["NodeManagerAddress"],
                    node["NodeID"],
                    int(has.get("CPU", 0)),
                    int(has.get("GPU", 0)),
                    int(has.get("memory", 0)),
                )
            )
    return sorted(found, key=lambda machine: (machine.address, machine.node_id))


def look_around(token: str, content: str, node_id: str) -> tuple[dict[str, str], str]:
    """On a machine of the cluster: its software, and what is wrong with the folder there."""
    path, trouble = Path(token), "does not see the folder"
    until = time.monotonic() + _SEEN_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            if path.read_text(encoding="ascii") == content:
                trouble = ""
                break
        time.sleep(0.2)
    if not trouble:
        try:
            _answer(path, node_id).write_text(content, encoding="ascii")
        except OSError:
            trouble = "may not write into the folder"
    return software_here(), trouble


def _as_seen(machine: Machine, answer: Any, token: Path) -> Machine:
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    software: dict[str, str] = {}
    try:
        software, trouble = ray.get(answer, timeout=0)
    except GetTimeoutError:
        ray.cancel(answer, force=True)
        trouble = f"did not answer within {_LOOK_SECONDS:.0f} s"
    except RayTaskError as error:
        cause = error.cause
        trouble = (
            "has no recon3d, or an older one"
            if isinstance(cause, ImportError | AttributeError)
            else f"failed: {_first_line(cause)}"
        )
    except RayError as error:
        trouble = f"was lost: {_first_line(error)}"
    trouble = _difference(software) or trouble if software else trouble
    if software and not trouble and not _is_there(_answer(token, machine.node_id)):
        trouble = "writes into another folder of that name"
    return Machine(
        machine.address, machine.node_id, machine.cpus, machine.gpus, machine.memory_bytes,
        software, sees_folder=bool(software) and "folder" not in trouble, trouble=trouble,
    )  # fmt: skip


def _difference(software: dict[str, str]) -> str:
    """Where a machine differs from this one: other versions may give other results."""
    here = software_here()
    other = [
        f"{name} {software.get(name, 'none')} instead of {version}"
        for name, version in here.items()
        if software.get(name) != version
    ]
    return f"has other versions: {', '.join(other)}" if other else ""


def _answer(token: Path, node_id: str) -> Path:
    return token.with_name(f"{token.name}.{node_id[:12]}")


def _is_there(path: Path) -> bool:
    until = time.monotonic() + _SEEN_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _check_address(address: str) -> None:
    """Ask before Ray does, which waits for a minute and may then end the program."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 1 << 16 and "/" not in host):
        raise ClusterError(
            f'"{address}" is no address of a cluster.',
            hint="Write HOST:PORT as ray start --head has told it, for example 192.168.1.10:6379, "
            "or auto for the cluster of this machine.",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"Nothing answers at {address}: {error.strerror or error}.",
            hint="Start the cluster with ray start --head, and look whether a firewall is between. "
            + _GUIDE,
        ) from error


def _first_line(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
