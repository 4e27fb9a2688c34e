"""Who works on a table is alive, dead, or not to be known from here: then its heartbeat decides."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from deltalakedb.catalog import owner, registry

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=3000)
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"

pytestmark = pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="it is Linux' own")


@pytest.fixture
def another() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this machine."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def parts(text: str) -> tuple[str, str, str]:
    machine, pid, started = text.rsplit("/", 2)
    return machine, pid, started


def test_a_process_of_this_machine_is_seen_whatever_its_heart_does(another: subprocess.Popen[bytes]):
    name = owner.owner_of(another.pid)
    assert owner.is_running(name, LONG_AGO) is True
    assert registry.is_alive(name, LONG_AGO)
    another.kill()
    for _ in range(100):  # until it is a zombie
        if psutil.Process(another.pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    assert owner.is_running(name, NOW) is False
    another.wait()
    assert owner.is_running(name, NOW) is False
    assert not registry.is_alive(name, NOW)


def test_a_number_that_came_again_is_another_process(another: subprocess.Popen[bytes]):
    machine, pid, started = parts(owner.owner_of(another.pid))
    assert owner.is_running(f"{machine}/{pid}/{int(started) - 1}", NOW) is False


def test_a_clock_that_is_set_kills_nobody(another: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    name = owner.owner_of(another.pid)
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() + 5000)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: 0.0)
    assert owner.is_running(name, LONG_AGO) is True


def test_our_own_claims_are_told_by_their_heartbeat():
    assert owner.is_running(owner.this_process(), NOW) is None
    assert registry.is_alive(owner.this_process(), registry.now())
    assert not registry.is_alive(owner.this_process(), LONG_AGO)


def test_a_machine_that_was_started_again_has_lost_its_processes(another: subprocess.Popen[bytes]):
    rebooted = owner.owner_of(another.pid).replace(owner._boot_id(), OTHER_BOOT)
    assert owner._namespace() == owner._FIRST_NAMESPACE, "this test has to run outside of containers"
    assert owner.is_running(rebooted, LONG_AGO) is False
    assert owner.is_running(rebooted, NOW) is None, "a heart that beats is that of a namesake"


@pytest.mark.parametrize("namespace", ["4026532999", ""])
def test_containers_and_machines_of_the_same_name_are_told_by_their_heartbeat(
    another: subprocess.Popen[bytes], namespace: str
):
    name = owner.owner_of(another.pid)
    elsewhere = name.replace(owner._namespace(), namespace or owner._namespace())
    elsewhere = elsewhere if namespace else elsewhere.replace(socket.gethostname(), "another-host", 1)
    for boot in (owner._boot_id(), OTHER_BOOT):
        one = elsewhere.replace(owner._boot_id(), boot)
        assert owner.is_running(one, LONG_AGO) is None
        assert registry.is_alive(one, datetime.now(UTC))
        assert not registry.is_alive(one, LONG_AGO)


def test_who_was_written_down_by_an_earlier_release_is_understood(another: subprocess.Popen[bytes]):
    created = psutil.Process(another.pid).create_time()
    earlier = f"{socket.gethostname()}/{another.pid}/{created:.2f}"
    assert owner.is_running(earlier, LONG_AGO) is True
    assert owner.is_running(f"{socket.gethostname()}/{another.pid}/{created - 2:.2f}", NOW) is False
    assert owner.is_running(f"{socket.gethostname()}~4026532999/{another.pid}/{created:.2f}", NOW) is None
    another.kill()
    another.wait()
    assert owner.is_running(earlier, NOW) is False


@pytest.mark.parametrize("text", ["", "nobody", "a/b/c", "host/12/", "host/x/12"])
def test_what_is_no_owner_is_told_by_its_heartbeat(text: str):
    assert owner.is_running(text, NOW) is None
    assert owner.people_say(text) == "an unknown process"


def test_people_read_host_and_number():
    assert owner.people_say(owner.this_process()) == f"process {os.getpid()} on {socket.gethostname()}"
    assert owner.people_say("far/77/1.00") == "process 77 on far"
    assert owner.people_say("web1~4026532999/4711/12.00") == "process 4711 on web1"


def test_a_system_without_proc_writes_times(another: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner, "_boot_id", lambda: None)
    owner.owner_of.cache_clear()
    try:
        name = owner.owner_of(another.pid)
    finally:
        owner.owner_of.cache_clear()
    assert "." in parts(name)[2]
    assert owner.is_running(name, LONG_AGO) is True


HIDDEN = """
import os, sys
from datetime import UTC, datetime
from deltalakedb.catalog import owner, registry
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
assert not os.path.exists(f"/proc/{sys.argv[1]}"), "it is seen"
for name in sys.argv[2:]:
    print(owner.is_running(name, datetime.now(UTC)), registry.is_alive(name, datetime.now(UTC)))
"""


def test_who_is_hidden_from_us_lives(another: subprocess.Popen[bytes]):
    """Under `/proc` mounted with `hidepid`, processes of other users don't show."""
    name = owner.owner_of(another.pid)
    machine, _, started = parts(name)
    earlier = f"{socket.gethostname()}/{another.pid}/1.00"
    words = [str(another.pid), name, earlier, f"{machine}/4194303/{started}"]
    mount = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", HIDDEN, *words]
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("only root may mount /proc")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if "mount:" in done.stderr:
        pytest.skip(f"/proc can't be mounted here: {done.stderr}")
    assert done.stdout.splitlines() == ["True True", "True True", "False False"], done.stderr
