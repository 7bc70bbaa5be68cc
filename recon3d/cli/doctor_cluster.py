"""What the machines of a cluster offer, and whether they see the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recon3d.cli.display import Display
from recon3d.core.errors import InputError
from recon3d.run.cluster import Machine, joined, look_at_machines

_HEAD = ("", "machine", "processors", "memory", "GPUs", "recon3d", "Python", "sees the folder")


def examine_cluster(address: str, folder: Path, display: Display) -> None:
    """Look at every machine and show them as a table.

    folder: That all must see.

    Raises:
        InputError: there is no such folder here.
        ClusterError: the cluster cannot be joined.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", hint="Name one with --workspace.")
    with joined(address):
        machines = look_at_machines(folder)
    troubles = sum(bool(machine.trouble) for machine in machines)
    lines = _in_columns([_HEAD, *map(_row, machines)])
    lines += [f"! {each.address} {each.trouble}." for each in machines if each.trouble]
    lines.append(
        f"{troubles} of {len(machines)} machines cannot take part."
        if troubles
        else f"All is well: {len(machines)} machines, {sum(m.cpus for m in machines)} processors."
    )
    content = {"machines": [asdict(machine) for machine in machines], "healthy": troubles == 0}
    display.result({"folder": str(folder), **content}, "\n".join(lines))


def _row(machine: Machine) -> tuple[str, ...]:
    return (
        "!" if machine.trouble else "",
        machine.address,
        str(machine.cpus),
        f"{machine.memory_bytes / 2**30:.1f} GiB",
        str(machine.gpus),
        machine.software.get("recon3d", "unknown"),
        machine.software.get("Python", "unknown"),
        "yes" if machine.sees_folder else "no",
    )


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
