"""Which process works on a table, and whether it still does: as far as the processes of this machine tell."""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import psutil

_FIRST_NAMESPACE = "4026531836"
"""Linux' number of the namespace of process numbers that a machine starts with."""

_PROC = Path("/proc")

_OWNER = re.compile(
    r"(?P<machine>(?P<host>.*?)(?:~(?P<namespace>\d+))?(?:~(?P<boot>[0-9a-f-]{36}))?)/(?P<pid>\d+)/(?P<started>[\d.]+)",
    re.DOTALL,
)

_START_TICKS = 19
"""The place of `starttime` in /proc/PID/stat behind the name (proc(5), field 22); that of `state` is 0."""

_SECONDS_APART = 1.0
"""How much psutil's times of one process may differ."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """An owner's parts. `started` are ticks since the machine started, or seconds since 1970 with a point in them.

    Ticks stay what they are when the clock is set. Systems without /proc write seconds, and so did earlier releases.
    """

    machine: str
    host: str
    namespace: str | None
    boot: str | None
    pid: int
    started: str

    @classmethod
    def parse(cls, text: str) -> _Owner | None:
        found = _OWNER.fullmatch(text)
        if found is None:
            return None
        machine, host, namespace, boot, pid, started = found.groups()
        return cls(machine, host, namespace, boot, int(pid), started)


def this_process() -> str:
    """Returns who we are: host, process, and when that process started (process numbers come again)."""
    return owner_of(os.getpid())


@cache
def owner_of(pid: int) -> str:
    """Returns how a living process that this one can see is written down."""
    boot = _boot_id()
    if boot is None:
        return f"{_host()}/{pid}/{psutil.Process(pid).create_time():.2f}"
    fields = _stat(pid)
    assert fields is not None
    return f"{socket.gethostname()}~{_namespace()}~{boot}/{pid}/{fields[_START_TICKS]}"


def people_say(owner: str | None) -> str:
    """Returns an owner for people."""
    found = None if owner is None else _Owner.parse(owner)
    return "an unknown process" if found is None else f"process {found.pid} on {found.host}"


def is_running(owner: str, heartbeat_at: datetime) -> bool | None:
    """Tells whether an owner's process is there; None where this machine can't tell, so that its heartbeat has to."""
    found = _Owner.parse(owner)
    if found is None or found.host != socket.gethostname() or owner == this_process():
        return None
    if found.boot is None:
        is_here = found.machine == _host()
    elif found.boot == _boot_id():
        is_here = found.namespace == _namespace()
    else:
        return False if _started_again(found, heartbeat_at) else None
    if not is_here:
        return None
    return _runs_since_time(found) if "." in found.started else _runs_since_tick(found)


def _started_again(found: _Owner, heartbeat_at: datetime) -> bool:
    """Tells whether it is this machine that an owner ran on before it was started again, and not its namesake.

    A heart that has beaten since is another machine's. Containers of many machines may have the name of this one.
    """
    if {found.namespace, _namespace()} != {_FIRST_NAMESPACE}:
        return False
    up = timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
    return heartbeat_at < datetime.now(UTC) - up


def _runs_since_tick(found: _Owner) -> bool:
    fields = _stat(found.pid)
    if fields is None:
        return _is_there(found.pid)
    return fields[_START_TICKS] == found.started and not _is_dead(fields[0])


def _is_dead(state: str) -> bool:
    return state in "ZXx"  # a zombie is dead, though its parent hasn't noticed


def _runs_since_time(found: _Owner) -> bool | None:
    try:
        process = psutil.Process(found.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - float(found.started)) < _SECONDS_APART)
    except psutil.NoSuchProcess:
        return _is_there(found.pid)
    except (psutil.AccessDenied, ValueError):
        return None


def _is_there(pid: int) -> bool:
    """Tells of a process that can't be looked at whether there is one of its number.

    Where /proc is mounted with `hidepid`, processes of others don't show there, and a signal to one is refused. It may
    be another one that has the number by now: who waits for it in vain is better off than who works beside it.
    """
    if os.name != "posix":
        return False  # psutil has asked the system itself
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there, and another user's
    return True


def _stat(pid: int) -> list[str] | None:
    """Returns the fields of /proc/PID/stat behind the process's name; None where it does not show."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


@cache
def _boot_id() -> str | None:
    """Returns what is another one each time that this machine starts; None where the system has no such thing."""
    try:
        found = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return found if _stat(os.getpid()) is not None else None


def _namespace() -> str:
    """Returns the namespace of our process numbers: containers may share their host's name."""
    try:
        return str((_PROC / "self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return _FIRST_NAMESPACE  # this system has none


def _host() -> str:
    """Returns this host as owners without the time of its start have it."""
    host, namespace = socket.gethostname(), _namespace()
    return host if namespace == _FIRST_NAMESPACE else f"{host}~{namespace}"
