# SPDX-License-Identifier: MIT
"""Results as JSON lines, one a run: kept as soon as they are there, and not measured twice."""
import fcntl
import hashlib
import json
import os
import platform
import subprocess
from pathlib import Path

from lab.netns import LabError

ROOT = Path(__file__).resolve().parents[1]
# What was measured with: runs that differ in any of these are not compared, nor counted together.
VERSIONS = ("commit", "kernel", "python", "iproute2")
IDENTITY = ("workload", "system", "seed", "settings", *VERSIONS)
# Of the tree, all but what measuring itself writes.
MEASURED = (":/", ":!/bench/results", ":!/docs/results.md")


OLDER = " with older binaries"


def is_behind(build):
    """Whether something of a build directory is older than what it is made of, by ninja's own word."""
    try:
        told = subprocess.run(["ninja", "-C", build, "-n"], capture_output=True)
    except OSError:
        return False
    return told.returncode == 0 and b"no work to do" not in told.stdout


def commit():
    """The commit that is measured; None outside git. Where the tree differs from it, but for
    results, + and a hash of the difference: two such trees are not the same. What was built before
    the tree became that is not either."""
    name = commit_of_tree()
    is_older = name and is_behind(Path(os.environ.get("SUBFLOW_BUILD", ROOT / "build")))
    return name + OLDER if is_older else name


def commit_of_tree():
    def git(*words, **options):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, **options).stdout
    name = git("rev-parse", "--short=12", "HEAD").decode().strip()
    if not name or not git("status", "--porcelain", "--", *MEASURED):
        return name or None
    new = git("ls-files", "--others", "--exclude-standard", "--", *MEASURED)
    change = git("diff", "HEAD", "--", *MEASURED) + new + git("hash-object", "--stdin-paths", input=new)
    return f"{name}+{hashlib.sha256(change).hexdigest()[:8]}"


def versions():
    """What the figures depend on, and the commit of Subflow."""
    ip = subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout
    return {"commit": commit(), "kernel": platform.release(), "python": platform.python_version(),
            "iproute2": ip.strip().rpartition("-")[2]}


def text_of(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read ({getattr(error, 'strerror', 0) or 'it is no text'})") from None


def benchmark(path, keys=("bench", "figures", "rounds")):
    """What a benchmark has left in JSON, with these keys at least."""
    try:
        data = json.loads(text_of(path))
        if set(keys) <= set(data):
            return data
    except (TypeError, ValueError):
        pass
    raise LabError(f"{path} is no result of a benchmark: remove it, or make it anew by bench/{path.name.partition('.')[0]}")


def read(path):
    """All results of a file; a line that was cut off by a crash is left out."""
    found = []
    for line in text_of(path).splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict) and "discarded" in result:
            found.append(result)
    return found


CEILING = "ceiling"  # the workload by that name is what others are measured by


def valid(results):
    return [result for result in results if not result["discarded"]]


def name_of(result):
    """A text that is the same for results of the same run."""
    return json.dumps([result.get(key) for key in IDENTITY], sort_keys=True)


def runs(results):
    """Those that count, and are no ceilings; of what --busy kept what was not measured again since."""
    found = [result for result in valid(results) if result["workload"] != CEILING]
    counting = {name_of(result) for result in found if "busy" not in result}
    return [result for result in found if "busy" not in result or name_of(result) not in counting]


class Store:
    """A file of results that grows; for `with`, in which it is ours alone. What is in it of another
    commit, kernel or version stays there and is not taken for ours. takes_busy: what --busy kept will do."""

    def __init__(self, path, takes_busy=False):
        self.path = path
        self.takes_busy = takes_busy
        self.versions = versions()
        self._known, self._file = {}, None

    def __enter__(self):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LabError(f"another run writes to {self.path}: wait for it, or take another --results") from None
        except OSError as error:
            raise LabError(f"{self.path} cannot be written ({error.strerror}): take another --results") from None
        self._known = {name_of(result): result for result in valid(read(self.path))}
        return self

    def __exit__(self, *_):
        self._file.close()

    def strangers(self):
        """How many results are of another commit, kernel or version."""
        return sum(any(result.get(key) != self.versions[key] for key in VERSIONS)
                   for result in self._known.values())

    def find(self, **identity):
        """Such a run that need not be measured again, or None."""
        found = self._known.get(name_of({**self.versions, **identity}))
        return None if found and "busy" in found and not self.takes_busy else found

    def add(self, result):
        result = {**self.versions, **result}
        text = self.path.read_bytes()
        # After a crash the last line may have no end.
        self._file.write(("\n" if text and not text.endswith(b"\n") else "") + json.dumps(result) + "\n")
        self._file.flush()
        if not result["discarded"]:
            self._known[name_of(result)] = result
