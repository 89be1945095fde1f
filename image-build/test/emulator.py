"""The image in QEMU: a copy-on-write disk over it, its serial console, ssh where it has a network, and a hard stop."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
BOOT_PARTITION = 4 * 1024 * 1024
FACTOR = float(os.environ.get("OFFHOOK_PATIENCE", "1"))
"""Multiplies every deadline; emulated machines take as long as the machine under them is busy."""


class MachineError(Exception):
    """The machine did not do what was waited for; the message ends with what its console said last."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def put_on_card(image: Path, files: dict[str, str], scratch: Path) -> None:
    """Writes files to the boot partition inside an image, as an owner does with the card in a computer."""
    for name, text in files.items():
        (scratch / name).write_text(text)
        subprocess.run(
            ["mcopy", "-o", "-i", f"{image}@@{BOOT_PARTITION}", str(scratch / name), f"::{name}"], check=True
        )


def card(base: Path, at: Path, size: str = "4G") -> Path:
    """A copy of the image as it lies on a card of that size; holes stay holes."""
    subprocess.run(["cp", "--sparse=always", str(base), str(at)], check=True)
    subprocess.run(["truncate", "-s", size, str(at)], check=True)
    return at


def overlay(base: Path, at: Path) -> Path:
    """A disk that starts as ``base`` and keeps what is written for itself."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", format_of(base), "-b", str(base.resolve()), str(at)]
    subprocess.run(command, check=True)
    return at


def format_of(disk: Path) -> str:
    return "qcow2" if disk.suffix == ".qcow2" else "raw"


@dataclass
class Machine:
    """One run of the image. ``machine`` is ``virt`` or ``raspi3b``."""

    disk: Path
    folder: Path
    machine: str = "virt"
    key: Path | None = None
    more: list[str] = field(default_factory=list)
    name: str = "run"
    network: str = "user"
    """QEMU's; with ``user,restrict=on`` there is an address but no way out: the box finds itself without a network."""
    log_writes: Path | None = None
    """Every write and flush of the disk goes into this file (QEMU's blklogwrites)."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{self.name}.console"
        self.https = free_port()
        self.http = free_port()
        self.ssh_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._qmp = self.folder / f"{self.name}.qmp"
        self.started_s = 0.0

    def start(self) -> Machine:
        self._read = 0
        self._qmp.unlink(missing_ok=True)
        console = f"file,id=console,path={self.log}"
        command = ["qemu-system-aarch64", "-M", self.machine, "-display", "none", "-nodefaults", "-no-user-config"]
        command += ["-qmp", f"unix:{self._qmp},server=on,wait=off", "-chardev", console]
        command += self._virt() if self.machine == "virt" else self._raspi()
        self.log.write_bytes(b"")
        self.started_s = time.monotonic()
        errors = (self.folder / f"{self.name}.errors").open("wb")
        self._process = subprocess.Popen([*command, *self.more], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        return self

    def _virt(self) -> list[str]:
        forwards = f"hostfwd=tcp:127.0.0.1:{self.https}-:443,hostfwd=tcp:127.0.0.1:{self.http}-:80"
        forwards += f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
        return [
            *("-cpu", "cortex-a72", "-smp", "2", "-m", "1024", "-accel", "tcg,thread=multi,tb-size=512"),
            *("-bios", str(UBOOT), "-serial", "chardev:console"),
            *self._disk(),
            *("-device", "virtio-blk-pci,drive=card", "-netdev", f"{self.network},id=lan,{forwards}"),
            *("-device", "virtio-net-pci,netdev=lan,romfile=", "-device", "virtio-rng-pci", "-device", "i6300esb"),
        ]  # fmt: skip

    def _disk(self) -> list[str]:
        if self.log_writes is None:
            return ["-drive", f"file={self.disk},if=none,id=card,format={format_of(self.disk)},cache=writeback"]
        return [
            "-blockdev", f"driver=file,filename={self.disk},node-name=disk",
            "-blockdev", f"driver=file,filename={self.log_writes},node-name=log",
            "-blockdev", "driver=blklogwrites,file=disk,log=log,node-name=card",
        ]  # fmt: skip

    def _raspi(self) -> list[str]:
        parts = self.folder / "pi"
        return [
            *("-serial", "null", "-serial", "chardev:console"),
            *("-kernel", str(parts / "u-boot.bin"), "-dtb", str(parts / "bcm2837-rpi-3-b.dtb")),
            *("-drive", f"file={self.disk},if=sd,format={format_of(self.disk)}"),
        ]  # fmt: skip

    def console(self) -> str:
        return self.log.read_bytes().decode(errors="replace")

    def wait(self, pattern: str, deadline_s: float) -> re.Match[str]:
        """The first place after the last one found where the console says it."""
        end = time.monotonic() + deadline_s * FACTOR
        while True:
            alive = self.running()
            said = self.console()
            if found := re.search(pattern, said[self._read :]):
                self._read += found.end()
                return found
            if not alive:
                raise MachineError(f"the machine ended before {pattern!r}: {self._last()}")
            if time.monotonic() > end:
                raise MachineError(f"not within {deadline_s * FACTOR:.0f} s: {pattern!r}: {self._last()}")
            time.sleep(0.2)

    def _last(self) -> str:
        errors = (self.folder / f"{self.name}.errors").read_text(errors="replace")[-500:]
        return f"{errors}\n{self.console()[-2000:]}"

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ssh(self, command: str, *, deadline_s: float = 120.0, check: bool = True, feed: bytes | None = None) -> str:
        """Runs it as root over ssh; its output."""
        assert self.key is not None
        line = [
            "ssh", "-q", "-i", str(self.key), "-p", str(self.ssh_port), "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=60", "-o", "BatchMode=yes",
            "root@127.0.0.1", command,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                line, capture_output=True, timeout=deadline_s * FACTOR, check=False, input=feed or b""
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"not within {deadline_s * FACTOR:.0f} s: {command}") from error
        output = done.stdout.decode(errors="replace")
        if check and done.returncode != 0:
            raise MachineError(
                f"{command}: {done.returncode}: {output[-1500:]} {done.stderr.decode(errors='replace')[-1500:]}"
            )
        return output

    def wait_for_ssh(self, deadline_s: float = 600.0) -> None:
        self.wait_until("true", deadline_s)

    def wait_for_page(self, deadline_s: float) -> None:
        """Until the page answers over https; for a box that lets nobody in by ssh."""
        need("curl")
        end = time.monotonic() + deadline_s * FACTOR
        answer = ["curl", "-ks", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}"]
        while True:
            told = subprocess.run([*answer, f"https://127.0.0.1:{self.https}/login"], capture_output=True, check=False)
            if told.stdout[:1] in (b"2", b"3"):
                return
            if not self.running() or time.monotonic() > end:
                raise MachineError(f"no page within {deadline_s * FACTOR:.0f} s: {told.stdout!r}: {self._last()}")
            time.sleep(1)

    def wait_until(self, command: str, deadline_s: float) -> str:
        """Until the command ends with 0 in there; its output."""
        end = time.monotonic() + deadline_s * FACTOR
        while True:
            with contextlib.suppress(MachineError):
                return self.ssh(command, deadline_s=90)
            if not self.running():
                raise MachineError(f"the machine ended: {self._last()}")
            if time.monotonic() > end:
                raise MachineError(f"not within {deadline_s * FACTOR:.0f} s: {command}: {self._last()}")
            time.sleep(1)

    def copy_in(self, file: Path, to: str, deadline_s: float = 900.0) -> None:
        with file.open("rb") as stream:
            line = [
                "ssh", "-q", "-i", str(self.key), "-p", str(self.ssh_port), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "root@127.0.0.1",
                f"cat > {shlex.quote(to)}",
            ]  # fmt: skip
            subprocess.run(line, stdin=stream, timeout=deadline_s * FACTOR, check=True)

    def seconds(self) -> float:
        return time.monotonic() - self.started_s

    def qmp(self, command: str, **arguments: object) -> None:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(60)
            wire.connect(str(self._qmp))
            file = wire.makefile("rw")
            file.readline()
            for said in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                file.write(json.dumps(said) + "\n")
                file.flush()
                while "return" not in (answer := json.loads(file.readline())):
                    if "error" in answer:
                        raise MachineError(str(answer["error"]))

    def stop_hard(self) -> None:
        """As the plug does it: nothing in there is told."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Machine:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop_hard()


@contextlib.contextmanager
def kept_on_failure(folder: Path) -> Iterator[Path]:
    """The folder's disks go when all went well; consoles stay."""
    yield folder
    for disk in (*folder.glob("*.qcow2"), *folder.glob("*.img")):
        disk.unlink()


def need(program: str) -> None:
    if shutil.which(program) is None:
        raise MachineError(f"{program} is not installed: setup/packages-image.txt names its package")
