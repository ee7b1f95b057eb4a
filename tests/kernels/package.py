# SPDX-License-Identifier: MIT
"""Debian's stock kernels: found by apt, unpacked beside the build, never installed."""
import re
import shutil
import subprocess

# A series of Debian's cloud kernels; the pattern leaves out -dbg and -unsigned.
PACKAGE = r"linux-image-{series}\.\d+(-\d+|\+deb\d+)-cloud-amd64"


class KernelError(Exception):
    """A kernel cannot be had or does not run; the message is one line for people."""


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or [str(done.returncode)])[-1]
        raise KernelError(f"{' '.join(map(str, command))}: {last}")
    return done.stdout


def newest(series):
    """Name of the newest package of a series that apt knows, or None."""
    pattern = re.compile(PACKAGE.format(series=re.escape(series)))
    known = run(["apt-cache", "pkgnames", f"linux-image-{series}."]).split()
    return max(filter(pattern.fullmatch, known), default=None,
               key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def download(series, directory):
    """Path of the series' newest package."""
    for attempt in range(2):
        if attempt:  # the lists are missing, or older than what the mirror still has
            run(["apt-get", "update", "-qq"])
        name = newest(series)
        try:
            if name:
                run(["apt-get", "download", "-qq", name], cwd=directory)
                return next(directory.glob(f"{name}_*.deb"))
        except KernelError:
            if attempt:
                raise
    raise KernelError(f"apt knows no package linux-image-{series}.*-cloud-amd64")


class Kernel:
    """An unpacked kernel: `release` as uname says, `image` to boot, `modules` for /lib/modules."""

    def __init__(self, root):
        self.image, = root.glob("boot/vmlinuz-*")
        self.release = self.image.name.removeprefix("vmlinuz-")
        self.modules = root / "lib" / "modules" / self.release

    def module_files(self, names):
        """Files of these modules and of all that they need, in the order to load them."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            file, others = line.split(":")
            needs[file.split("/")[-1].split(".")[0].replace("-", "_")] = [file, *others.split()]
        # What is built in is not in the list; what a module needs stands last to first.
        files = [file for name in names for file in reversed(needs.get(name, []))]
        return [self.modules / file for file in dict.fromkeys(files)]


def fetch(series, cache):
    """The newest stock kernel of a series, from the cache if it is there."""
    root = cache / series / "kernel"
    if not root.exists():
        fresh = cache / series / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        package = download(series, fresh)
        run(["dpkg", "-x", package, fresh])
        package.unlink()
        run(["depmod", "-b", fresh, Kernel(fresh).release])
        fresh.rename(root)
    return Kernel(root)
