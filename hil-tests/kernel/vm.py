"""Runs a command on the test kernel: ``python vm.py [--disk FILE ...] -- COMMAND``; its exit code is the command's.

The guest sees this machine's file system (read only, what it writes is gone afterwards) and the folder ``--out`` as
/run/host. There is no network in it but the loopback.
"""

from __future__ import annotations

import argparse
import lzma
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NO_RESULT = 70
"""The kernel ended without the command having ended: a crash, or the deadline."""
MEMORY_MIB = 1536
_ALLOCATION = "MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000"
"""A page that a process touches for the first time costs 160 us in the guest (4 on this machine): what it has, it
keeps."""


class KernelError(Exception):
    """There is no kernel to run."""


def kernel_folder() -> Path:
    """The folder with the kernel: ``OFFHOOK_TEST_KERNEL``, else the one that build.sh has built or builds now.

    Raises `KernelError`.
    """
    named = os.environ.get("OFFHOOK_TEST_KERNEL")
    if named:
        return Path(named).resolve()
    built = subprocess.run([str(HERE / "build.sh")], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode:
        raise KernelError("the test kernel could not be built; see above, and build.log in the cache folder")
    return Path(built.stdout.strip())


def program(folder: Path, scratch: Path) -> Path:
    """The kernel as a program; an .xz is unpacked into ``scratch``. Raises `KernelError`."""
    if (folder / "linux").exists():
        return folder / "linux"
    packed = sorted(folder.glob("linux*.xz"))
    if not packed or not any(folder.glob("modules*.tar.xz")):
        raise KernelError(f"{folder} must hold linux (or linux*.xz) and modules*.tar.xz")
    unpacked = scratch / "linux"
    with lzma.open(packed[0]) as source, unpacked.open("wb") as target:
        shutil.copyfileobj(source, target)
    unpacked.chmod(0o755)
    return unpacked


def precedence() -> list[str]:
    """Words before a command that have it served before the machine's other work, where that is allowed.

    The guest has one processor and real-time sound on it: what holds it up for a second, for whatever reason outside,
    looks in it as if its sound cards and its disk had hung.
    """
    first = ["chrt", "--rr", "1"]
    allowed = subprocess.run([*first, "true"], capture_output=True, check=False).returncode == 0
    return first if allowed else []


def run(
    command: list[str],
    *,
    out: Path,
    disks: list[Path] = (),  # type: ignore[assignment]
    deadline_s: float = 300.0,
    next_program: Path = HERE / "guest-run.sh",
) -> int:
    """The exit code of ``command``, run as root in the guest; `NO_RESULT` when there is none.

    ``disks`` become /dev/ubda, /dev/ubdb, ...; ``out`` is /run/host. Raises `KernelError`.
    """
    folder = kernel_folder()
    out.mkdir(parents=True, exist_ok=True)
    result = out / "rc"
    result.unlink(missing_ok=True)
    words = " ".join(shlex.quote(word) for word in command)
    paths = ":".join([str(HERE / "guest-site"), str(Path.cwd())])
    home = (
        f"export HOME={shlex.quote(str(Path.home()))} PYTHONDONTWRITEBYTECODE=1 OFFHOOK_ON_TEST_KERNEL=1 "
        f"PYTHONPATH={shlex.quote(paths)} {_ALLOCATION}\n"
    )
    (out / "command").write_text(f"{home}cd {shlex.quote(str(Path.cwd()))}\n{words}\n")
    with tempfile.TemporaryDirectory(prefix="offhook-vm-") as name:
        scratch = Path(name)
        kernel = [
            *precedence(),
            str(program(folder, scratch)),
            f"mem={MEMORY_MIB}M",
            *("rootfstype=hostfs", "rootflags=/", "ro", f"init={HERE / 'guest-init.sh'}"),
            *(f"offhook.out={out.resolve()}", f"offhook.kernel={folder}", f"offhook.next={next_program}"),
            *(f"ubd{n}={disk.resolve()}" for n, disk in enumerate(disks)),
            *("con=null", "con0=null,fd:1", "quiet", f"uml_dir={scratch}", "umid=vm"),
        ]
        # UML's memory is a file in TMPDIR: on a disk it would be slow.
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else name
        process = subprocess.Popen(
            kernel, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "TMPDIR": memory}
        )
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            print(f"vm.py: the guest is still running after {deadline_s:g} s and is ended", file=sys.stderr)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10.0)
    return int(result.read_text()) if result.exists() and result.read_text().strip() else NO_RESULT


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="kept; what the guest leaves in /run/host is there")
    parser.add_argument("--disk", type=Path, action="append", default=[], help="an image: /dev/ubda, /dev/ubdb, ...")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds")
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(NO_RESULT))  # the guest ends with us
    try:
        with tempfile.TemporaryDirectory(prefix="offhook-vm-out-") as name:
            out = wanted.out or Path(name)
            return run(wanted.command, out=out, disks=wanted.disk, deadline_s=wanted.deadline)
    except KernelError as error:
        print(f"vm.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
