# SPDX-License-Identifier: MIT
"""A QEMU guest on another kernel whose root is this host's, read-only below and its own above."""
import lzma
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from kernels.package import KernelError, run

HERE = Path(__file__).parent
# What the guest needs before it has a root: the share and the layer over it.
MODULES = ("virtio_pci", "virtiofs", "overlay")
MEMORY = "3G"
PROCESSORS = 2
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
# In a mount namespace of its own: "/" and the tree, which may be another file system, read-only;
# what the guest may write. The guest's root is root: it must not reach more than this.
SHARE = """set -e
mount --bind / "$1"; mount -o remount,ro,bind "$1"
mount --bind "$2" "$1$2"; mount -o remount,ro,bind "$1$2"
mount --bind "$3" "$1$3"
exec "$4" --fd="$5" -f -o "source=$1,cache=always,sandbox=chroot" \
    -o log_level=err"""


def unpack_module(source, directory):
    """Copies a module to where insmod of busybox can read it; its name there."""
    name = source.name.removesuffix(".xz")
    data = source.read_bytes()
    (directory / name).write_bytes(lzma.decompress(data) if source.suffix == ".xz" else data)
    return name


def make_initramfs(kernel, target):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for directory in ("bin", "modules"):
            (root / directory).mkdir()
        shutil.copy("/bin/busybox", root / "bin" / "busybox")
        shutil.copy(HERE / "init", root / "init")
        names = [unpack_module(f, root / "modules") for f in kernel.module_files(MODULES)]
        (root / "modules" / "order").write_text("\n".join(names) + "\n")
        with target.open("wb") as file:
            subprocess.run("find . | cpio --quiet -o -H newc", shell=True, cwd=root, stdout=file,
                           check=True)


def share(point, tree, results, path, log):
    """Serves the host's files to the one guest that connects to this path; ends with it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        return subprocess.Popen(["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "sh", "-c",
                                 SHARE, "share", point, tree, results, VIRTIOFSD,
                                 str(listener.fileno())],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                pass_fds=[listener.fileno()])


def emulate(kernel, initramfs, path, console, arguments, log):
    """Starts QEMU without KVM, network, disk or screen.

    One thread for its processors: with one each, a processor meets the breakpoint of a patch to
    the kernel's code (a tracepoint that goes on or off) that another has finished, and panics.
    """
    return subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", "qemu-system-x86_64",
         "-nodefaults", "-no-user-config", "-nographic", "-no-reboot",
         "-machine", "q35,memory-backend=memory", "-accel", "tcg,thread=single",
         "-cpu", "max,la57=off", "-smp", str(PROCESSORS), "-m", MEMORY,
         "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
         "-chardev", f"socket,id=share,path={path}",
         "-device", "vhost-user-fs-pci,chardev=share,tag=share",
         "-serial", f"file:{console}",
         "-kernel", kernel.image, "-initrd", initramfs,
         "-append", f"console=ttyS0 panic=-1 quiet {arguments}"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def boot(kernel, tree, results, command, console, deadline_s):
    """Runs a command of the tree in a guest until the guest is off; KernelError if it is not then.

    results: the one directory that the guest can write to; it has the same path inside.
    """
    console.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="subflow-guest-") as name, \
            console.with_suffix(".host.log").open("w") as log:
        directory = Path(name)
        initramfs, point, path = (directory / part for part in ("initramfs", "root", "socket"))
        point.mkdir()
        make_initramfs(kernel, initramfs)
        arguments = f"tree={tree} results={results} release={kernel.release}" \
                    f" modules={kernel.modules} -- {command}"
        server = share(point, tree, results, path, log)
        try:
            qemu = emulate(kernel, initramfs, path, console, arguments, log)
            try:
                if qemu.wait(deadline_s):
                    raise KernelError(f"QEMU ended with {qemu.returncode}, see {log.name}")
            except subprocess.TimeoutExpired:
                raise KernelError(f"the guest was not done within {deadline_s} s") from None
            finally:
                qemu.kill()
                qemu.wait()
        finally:
            server.kill()
            server.wait()
