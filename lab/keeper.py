# SPDX-License-Identifier: MIT
"""The fabric that `subflow-lab up` leaves running: its process, its note, its end."""
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from lab.lab import require_root
from lab.netns import LabError, wait_until

DIRECTORY = Path(os.environ.get("SUBFLOW_LAB_DIRECTORY", "/run/subflow-lab"))
NOTE = DIRECTORY / "state.json"
# A fabric of k = 8 has 208 namespaces.
UP_S, DOWN_S = 180, 60


def note():
    """What `up` has written about the lab that is up; None when there is none."""
    try:
        return json.loads(NOTE.read_text())
    except FileNotFoundError:
        return None


def traces(prefix):
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return [name for name in names if name.startswith(prefix)]


def up(make, about):
    """Starts the keeper of make()'s fabric; returns its note once the fabric is there."""
    require_root()
    if found := note():
        raise LabError(f"a lab is up already ({found['about']}): subflow-lab down")
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    if os.fork() == 0:
        os.close(read_end)
        _keep(make, about, write_end)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        error = pipe.read()
    if error:
        raise LabError(error)
    return note()


def _keep(make, about, pipe):
    """The keeper: never returns. Its own session, no terminal."""
    status = 1
    try:
        os.setsid()
        # Whoever waits for the end of our output must not wait for that of the lab.
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        lock = os.open(DIRECTORY / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(0))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with make() as lab:
                _write(lab, about)
                os.close(pipe)
                pipe = None
                while True:
                    signal.pause()
        except BlockingIOError:
            raise LabError("another subflow-lab up is at work: wait for it") from None
    except LabError as error:
        if pipe is not None:
            os.write(pipe, str(error).encode())
    except SystemExit:
        NOTE.unlink(missing_ok=True)
        status = 0
    finally:
        os._exit(status)


def _write(lab, about):
    text = json.dumps({
        "about": about, "pid": os.getpid(), "prefix": lab.prefix, "cgroup": str(lab.cgroup),
        "directory": str(lab.directory),
        "hosts": {label: {"ip4": lab.nodes[label].ip4, "ip6": lab.nodes[label].ip6}
                  for label in lab.topology.hosts},
        "nodes": list(lab.nodes)}, indent=1)
    new = NOTE.with_suffix(".new")
    new.write_text(text + "\n")
    new.replace(NOTE)


def down():
    """Removes the lab that is up, also when its keeper was killed; returns what it was."""
    require_root()
    found = note()
    if not found:
        raise LabError("no lab is up")
    if not re.fullmatch(r"sf\d+-\d+-", found["prefix"]):
        raise LabError(f"{NOTE} is damaged: remove it, and see `ip netns list`")
    if _is_keeper(found["pid"]):
        os.kill(found["pid"], signal.SIGTERM)
        wait_until(lambda: not _is_keeper(found["pid"]), "the lab's keeper ends", DOWN_S)
    # Its reaper has seen to it, unless that was killed as well; then this one finds the rest.
    subprocess.run([sys.executable, Path(__file__).with_name("reaper.py"), found["prefix"],
                    found["cgroup"], found["directory"]], stdin=subprocess.DEVNULL, check=True)
    wait_until(lambda: not traces(found["prefix"]), "the lab's namespaces go", DOWN_S)
    NOTE.unlink(missing_ok=True)
    return found["about"]


def _is_keeper(pid):
    """A pid may have been given to another since: ours holds the lock's file open."""
    try:
        return any(os.readlink(entry) == str(DIRECTORY / "lock")
                   for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def shell(host, command):
    """Replaces this process by a shell, or a command, in a node of the lab that is up."""
    require_root()
    found = note()
    if not found:
        raise LabError("no lab is up: subflow-lab up fat-tree")
    if host not in found["nodes"]:
        raise LabError(f"no {host}: there are {', '.join(found['nodes'])}")
    path = f"/run/netns/{found['prefix']}{host}"
    if not os.path.exists(path):
        raise LabError("the lab was killed: subflow-lab down, then up")
    command = command or [os.environ.get("SHELL", "/bin/sh")]
    os.environ["PS1"] = f"{host}# "
    os.execvp("nsenter", ["nsenter", f"--net={path}", "--", *command])
