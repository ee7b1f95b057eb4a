# SPDX-License-Identifier: MIT
"""The fabric that `subflow-lab up` leaves running: its process, its note, its end."""
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.lab import places, require_root
from lab.netns import LabError, wait_until

DIRECTORY = Path(os.environ.get("SUBFLOW_LAB_DIRECTORY", "/run/subflow-lab"))
NOTE, LOCK = DIRECTORY / "state.json", DIRECTORY / "lock"
PREFIX = r"sf\d+-\d+-"
# A fabric of k = 8 has 208 namespaces.
DOWN_S = 60
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
    # Until it has a session of its own, Ctrl-C would hit the keeper as well.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    if (keeper := os.fork()) == 0:
        os.close(read_end)
        _keep(make, about, write_end)
    os.close(write_end)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with os.fdopen(read_end) as pipe:
            error = pipe.read()
    except BaseException:
        os.kill(keeper, signal.SIGTERM)
        os.waitpid(keeper, 0)
        raise
    if error:
        raise LabError(error)
    if not (found := note()):
        raise LabError("it was taken down while it was made")
    return found


def _keep(make, about, pipe):
    """The keeper: never returns. Its own session, no terminal."""
    status = 1
    try:
        os.setsid()
        # Whoever waits for the end of our output must not wait for that of the lab.
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for number in SIGNALS:
            signal.signal(number, lambda *_: sys.exit(0))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another subflow-lab up is at work: wait for it") from None
        try:
            lab = make()
            _write(lab, about)  # what there is so far is all that `down` needs
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            with lab:
                _write(lab, about)
                os.close(pipe)
                pipe = None
                while True:
                    signal.pause()
        finally:
            NOTE.unlink(missing_ok=True)
    except LabError as error:
        if pipe is not None:
            os.write(pipe, str(error).encode())
    except SystemExit:
        status = 0
    finally:
        os._exit(status)


def _write(lab, about):
    text = json.dumps({
        "about": about, "pid": os.getpid(), "prefix": lab.prefix,
        **dict(zip(("cgroup", "directory"), map(str, places(lab.prefix)))),
        "hosts": {label: {"ip4": lab.nodes[label].ip4, "ip6": lab.nodes[label].ip6}
                  for label in lab.topology.hosts if label in lab.nodes},
        "nodes": list(lab.nodes)}, indent=1)
    new = NOTE.with_suffix(".new")
    new.write_text(text + "\n")
    new.replace(NOTE)


def down():
    """Removes the lab that is up, also when its keeper was killed, and what other labs have left
    that were killed with their reapers; returns what it was."""
    require_root()
    # One that is about to be made has no note yet.
    wait_until(lambda: note() or not _is_locked(), "the lab is begun")
    found = note()
    left = orphans()
    if not found and not left:
        raise LabError("no lab is up")
    if found:
        if not re.fullmatch(PREFIX, found["prefix"]):
            raise LabError(f"{NOTE} is damaged: remove it, and see `ip netns list`")
        if _is_keeper(found["pid"]):
            os.kill(found["pid"], signal.SIGTERM)
            wait_until(lambda: not _is_keeper(found["pid"]), "the lab's keeper ends", DOWN_S)
        # Its reaper has seen to it, unless that was killed as well; then this one finds the rest.
        _reap(found["prefix"], found["cgroup"], found["directory"])
        NOTE.unlink(missing_ok=True)
    for prefix in left:
        _reap(prefix, *places(prefix))
    return found["about"] if found else f"what {len(left)} killed labs left"


def _reap(prefix, cgroup, directory):
    subprocess.run([sys.executable, Path(__file__).with_name("reaper.py"), prefix, cgroup, directory],
                   stdin=subprocess.DEVNULL, check=True)
    wait_until(lambda: not traces(prefix), "the lab's namespaces go", DOWN_S)


def _is_locked():
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def orphans():
    """Prefixes of labs whose owner is dead, and nobody takes them down. The directory of a lab is there before
    its first namespace, and after its last one."""
    found = {match.group() for match in (re.match(PREFIX, name) for name in traces("sf")) if match}
    found.update(f"{entry.name}-" for entry in os.scandir(tempfile.gettempdir())
                 if re.fullmatch(PREFIX, f"{entry.name}-") and entry.is_dir(follow_symlinks=False))
    reaped = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if any(word.endswith("/reaper.py") for word in words):
            reaped.update(words)
    return [prefix for prefix in sorted(found - reaped) if not _is_owned(prefix)]


def _is_owned(prefix):
    """Whether the process that has made it lives: dead, it may wait for its parent, and its pid may have been given to
    another, which has then begun after the lab."""
    try:
        state, *fields = Path(f"/proc/{prefix[2:].split('-')[0]}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    if state in "ZX":
        return False
    # proc(5): the 22nd field, of which the first two are gone, and the state.
    begun = _booted() + int(fields[22 - 4]) / os.sysconf("SC_CLK_TCK")
    made = [path.stat().st_mtime for path in places(prefix) if path.exists()]
    return not made or begun < max(made) + 1


def _booted():
    """When, by the clock that files have."""
    return next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines()
                if line.startswith("btime "))


def _is_keeper(pid):
    """A pid may have been given to another since: ours holds the lock's file open."""
    try:
        return any(os.readlink(entry) == str(LOCK)
                   for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def shell(host, command):
    """Replaces this process by a shell, or a command, in a node of the lab that is up."""
    require_root()
    found = note()
    if not found:
        raise LabError("no lab is up: subflow-lab up fat-tree")
    if not found["nodes"]:
        raise LabError("the lab is being made: wait for its `up`")
    if host not in found["nodes"]:
        raise LabError(f"no {host}: there are {', '.join(found['nodes'])}")
    path = f"/run/netns/{found['prefix']}{host}"
    if not os.path.exists(path):
        raise LabError("the lab was killed: subflow-lab down, then up")
    command = command or [os.environ.get("SHELL", "/bin/sh")]
    os.environ["PS1"] = f"{host}# "
    os.execvp("nsenter", ["nsenter", f"--net={path}", "--", *command])
