"""A SIM module with its SIM and its network, played on two ptys: the AT port, and the PCM port at real-time pace."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from simulator.manuals import MANUALS
from simulator.module_firmware import Firmware
from simulator.module_state import Quirks, State
from simulator.sim_card import SimCard

__all__ = ["FRAME_BYTES", "Ports", "Quirks", "SimModule", "State"]

FRAME_BYTES: Final = 320
FRAME_S: Final = 0.02
"""S76 5.2.46 and driver sources: 320 bytes of s16le mono each 20 ms."""
RESTART_S: Final = 1.0
LONGEST_UPLINK_BYTES: Final = 16000 * 600

WITHHELD: Final = 1
UNAVAILABLE: Final = 2


class Ports(Protocol):
    """The module's ends of its two ports, while it is plugged in."""

    at: int
    pcm: int
    way: str
    """What ``pcm`` is: ``0`` a tty, ``2`` a sound card (`simulator.module_codec`)."""

    def close(self) -> None:
        """Pulls the plug."""
        ...


class SimModule:
    """One module; ``<directory>/<name>-at`` and ``<directory>/<name>-pcm`` are its ports while it is plugged in.

    Every method may be called from any thread and returns at once, except `stop`, `plug` and `unplug`, which return
    when it is done. The callbacks run on the module's thread: they must return at once, and may call methods here.
    """

    def __init__(
        self,
        name: str,
        directory: Path | str,
        quirks: Quirks | None = None,
        ports: Callable[[], Ports] | None = None,
        model: str = "sim7600",
    ) -> None:
        """``ports`` plugs the module in somewhere else than at two ptys in ``directory``; ``model``: see `MANUALS`."""
        self.name = name
        self.at_path = Path(directory) / f"{name}-at"
        self.pcm_path = Path(directory) / f"{name}-pcm"
        self.quirks = quirks or Quirks()
        self.on_dial: Callable[[str], None] = _nothing
        self.on_answer: Callable[[], None] = _nothing
        self.on_hangup: Callable[[], None] = _nothing
        self.on_take: Callable[[], None] = _nothing
        """The box put one caller on hold and took the other."""
        self.commands: deque[str] = deque(maxlen=10000)
        """What the box said, oldest first."""
        self._firmware = Firmware(self.quirks, time.monotonic, MANUALS[model], heard=self._heard)
        self.card: SimCard | None = None
        self._text = b""
        self._lock = threading.Lock()
        self._down: deque[memoryview] = deque()
        self._down_bytes = 0
        self._up = bytearray()
        self._jobs: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._ports: Ports | None = None
        self._make_ports = ports or (lambda: PtyPorts(self.at_path, self.pcm_path))
        self._typed = b""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._next_frame_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"module-{name}", daemon=True)

    # -- for the street ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Plugs the module in; its ports are there when this returns."""
        self._thread.start()
        self.plug()

    def stop(self) -> None:
        self.unplug()
        self._stopping = True
        self._wake()
        self._thread.join(5)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> SimModule:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> State:
        return self._firmware.state

    @property
    def identity(self) -> Mapping[str, str]:
        """What it answers to AT+CGMI, AT+CGMM, AT+CGMR and AT+CGSN, by command."""
        return self._firmware.manual.identity

    @property
    def plugged(self) -> bool:
        return self._ports is not None

    @property
    def pcm_on(self) -> bool:
        """The box has switched the sound on."""
        return self._firmware.pcm

    @property
    def refused_orders(self) -> int:
        """Orders to switch the sound on that it refused in this call."""
        return self._firmware.refused

    @property
    def dtmf_sent(self) -> str:
        """The digits the box sent in calls (AT+VTS)."""
        return self._firmware.sent_dtmf

    def incoming(self, number: str | None, validity: int = 0) -> None:
        """Somebody calls. ``number`` None is withheld unless ``validity`` (TS 27.007 CLI validity) says otherwise."""
        code = WITHHELD if number is None and validity == 0 else validity

        def job() -> None:
            if self._firmware.state is State.IDLE:
                self._fresh_call()
            self._say(self._firmware.incoming(number, code))
            self._ring_later()

        self._post(job)

    def caller_hangs_up(self) -> None:
        """The caller gives up while it rings (or while the call waits)."""
        self._post(lambda: self._say(self._firmware.caller_hangs_up()))

    def remote_rings(self) -> None:
        """The far end of an outgoing call begins to ring."""
        self._post(lambda: self._say(self._firmware.remote_rings()))

    def remote_answers(self) -> None:
        self._post(lambda: self._say(self._firmware.remote_answers()))

    def remote_busy(self) -> None:
        self._post(lambda: self._say(self._firmware.remote_refuses("BUSY")))

    def remote_no_answer(self) -> None:
        self._post(lambda: self._say(self._firmware.remote_refuses("NO ANSWER")))

    def network_refuses(self) -> None:
        """The network does not put an outgoing call through."""
        self._post(lambda: self._say(self._firmware.remote_refuses("NO CARRIER")))

    def remote_hangs_up(self) -> None:
        self._post(lambda: self._say(self._firmware.remote_hangs_up()))

    def held_hangs_up(self) -> None:
        """Who is on hold gives up."""
        self._post(lambda: self._say(self._firmware.held_hangs_up()))

    def remote_presses(self, digits: str) -> None:
        """The far side sends DTMF; the module tells where it was asked to."""
        self._post(
            lambda: self._say([line for digit in digits for line in self._firmware.manual.digit(self._firmware, digit)])
        )

    def downlink(self, pcm: bytes) -> None:
        """What the far side says from now on, s16le 8 kHz (`Quirks.wide`: 16 kHz), after what it is still saying."""
        with self._lock:
            self._down.append(memoryview(pcm))  # minutes of sound must not be copied with each frame
            self._down_bytes += len(pcm)

    @property
    def downlink_pending_s(self) -> float:
        """Seconds of `downlink` that have not been said yet."""
        with self._lock:
            return self._down_bytes / (self._frame_bytes / FRAME_S)

    def uplink_heard(self) -> bytes:
        """What the far side heard of the box in this call, or in the last one."""
        with self._lock:
            return bytes(self._up)

    def says(self, raw: bytes) -> None:
        """Raw bytes on the AT port: noise, half lines, anything."""
        self._post(lambda: self._write_at(raw))

    def hang(self) -> None:
        """It answers nothing any more until it is restarted; calls stay as they are."""

        def job() -> None:
            self._firmware.hung = True

        self._post(job)

    def pull_reset(self) -> None:
        """Its reset wire is pulled to ground for a moment: it boots, USB stays."""

        def job() -> None:
            self._firmware.power_off()
            self._later(self.quirks.boot_s, self._boot)

        self._post(job)

    def reboot(self) -> None:
        """Power fails for a moment, USB stays (a brown-out): the call is gone, RDY comes."""
        self._post(self._say_booted)

    def unplug(self) -> None:
        """Pulls the module out: its ports end with EIO and their names vanish."""
        self._post_and_wait(self._unplug)

    def plug(self) -> None:
        """Puts the module (back) in; it boots."""
        self._post_and_wait(self._plug)

    # -- the module's thread -------------------------------------------------------------------------------------

    @property
    def _frame_bytes(self) -> int:
        return FRAME_BYTES * 2 if self.quirks.wide else FRAME_BYTES

    def _heard(self, what: str, number: str) -> None:
        if what == "dial":
            self._fresh_call()
            self.on_dial(number)
        elif what == "answer":
            self.on_answer()
        elif what == "take":
            self.on_take()
        else:
            self.on_hangup()

    def _fresh_call(self) -> None:
        with self._lock:
            self._up.clear()
            self._down.clear()
            self._down_bytes = 0

    def _ring_later(self) -> None:
        self._timers = [timer for timer in self._timers if timer[1] != self._ring]
        if self._firmware.first(State.INCOMING, State.WAITING) is not None:
            self._later(self.quirks.ring_every_s, self._ring)

    def _ring(self) -> None:
        self._say(self._firmware.ring())
        self._ring_later()

    def _post(self, job: Callable[[], None]) -> None:
        self._jobs.append(job)
        self._wake()

    def _post_and_wait(self, job: Callable[[], None]) -> None:
        done = threading.Event()

        def both() -> None:
            job()
            done.set()

        self._post(both)
        if not done.wait(5):
            raise TimeoutError(f"the module {self.name} does not react")

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"\0")

    def _later(self, seconds: float, job: Callable[[], None]) -> None:
        self._timers.append((time.monotonic() + seconds, job))

    def _plug(self) -> None:
        if self._ports is not None:
            return
        self._ports = self._make_ports()
        self._typed = b""
        self._firmware.power_off()
        self._later(self.quirks.boot_s, self._boot)

    def _boot(self) -> None:
        if self._ports is not None:
            self._say_booted()

    def _say_booted(self) -> None:
        if self.card is not None:
            self.card.power()
        lines = self._firmware.boot()
        if self.quirks.nul_prefix:
            self._write_at(b"\0\0\0")
        self._say(lines)

    def _unplug(self) -> None:
        ports, self._ports = self._ports, None
        self._timers.clear()
        self._firmware.power_off()
        if ports is not None:
            ports.close()

    def _run(self) -> None:
        while not self._stopping:
            self._wait()
            while self._jobs:
                self._jobs.popleft()()
            now_s = time.monotonic()
            due = [job for at_s, job in self._timers if at_s <= now_s]
            self._timers = [timer for timer in self._timers if timer[0] > now_s]
            for job in due:
                job()
            self._send_frames(time.monotonic())

    def _wait(self) -> None:
        ends = [at_s for at_s, _ in self._timers]
        if self._next_frame_s is not None:
            ends.append(self._next_frame_s)
        wait_s = max(0.0, min(ends) - time.monotonic()) if ends else 1.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            if self._ports is not None:
                selector.register(self._ports.at, selectors.EVENT_READ)
                if not self.quirks.takes_no_uplink:
                    selector.register(self._ports.pcm, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(min(wait_s, 1.0))]
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        ports = self._ports
        if ports is not None and ports.at in ready:
            self._hear_commands(_read(ports.at))
        if ports is not None and ports.pcm in ready:
            self._hear_uplink(_read(ports.pcm))

    def _hear_commands(self, data: bytes) -> None:
        if self.card is not None and self.card.wants_text:
            data = self._hear_text(data)
        self._typed += data
        *lines, self._typed = self._typed.split(b"\r")
        for line in lines:
            text = line.decode("latin-1").strip("\n")
            if self._firmware.state is not State.OFF and text[:2].upper() == "AT":
                self.commands.append(text)
                if self._firmware.settings["E"] == "1" and not self._firmware.hung:
                    self._write_at(line + b"\r")
                if self.quirks.answer_after_s:
                    self._later(self.quirks.answer_after_s, lambda text=text: self._obey(text))  # type: ignore[misc]
                else:
                    self._obey(text)

    def _hear_text(self, data: bytes) -> bytes:
        """The text of a message up to its Ctrl-Z; returns what follows."""
        self._text += data
        body, end, rest = self._text.partition(b"\x1a")
        if not end or self.card is None:
            return b""
        self._text = b""
        self._say(self.card.text(body.decode("latin-1").strip()), answers=True)
        return rest

    def insert(self, card: SimCard) -> None:
        """Puts a SIM card in; without one the module knows no more of its network than its manual says."""
        card.urc = lambda lines: self._post(lambda: self._say(lines))
        self.card = card

    def _obey(self, text: str) -> None:
        if text.upper() in {"AT+CRESET", "AT+CFUN=1,1"} and not self._firmware.hung:
            self._say(["OK"])  # S76 chapter 3: USB goes and comes back
            self._later(0.2, self._unplug)
            self._later(0.2, lambda: self._later(RESTART_S, self._plug))
            return
        by_card = self.card.command(text) if self.card is not None and not self._firmware.hung else None
        if by_card == ["> "]:
            self._write_at(b"\r\n> ")
            return
        answer = by_card if by_card is not None else self._firmware.command(text)
        if self.quirks.missing_ok and answer[-1:] == ["OK"]:
            self.quirks.missing_ok -= 1
            answer.pop()
        self._say(answer, answers=True)
        self._say(self._firmware.take_later())

    def _hear_uplink(self, data: bytes) -> None:
        if self._ports is not None and self._firmware.hears(self._ports.way):
            with self._lock:
                self._up += data
                del self._up[: max(0, len(self._up) - LONGEST_UPLINK_BYTES)]

    def _send_frames(self, now_s: float) -> None:
        if self._ports is None or not self._firmware.sounds(self._ports.way):
            self._next_frame_s = None
            return
        if self._next_frame_s is None:
            self._next_frame_s = now_s
        while self._next_frame_s <= now_s:
            self._next_frame_s += FRAME_S / (1 + self.quirks.crystal_ppm / 1e6)
            with contextlib.suppress(BlockingIOError):  # nobody reads: a module throws the sound away as well
                os.write(self._ports.pcm, self._next_frame())

    def _next_frame(self) -> bytes:
        frame = b""
        with self._lock:
            while self._down and len(frame) < self._frame_bytes:
                piece = self._down.popleft()
                wanted = self._frame_bytes - len(frame)
                frame += piece[:wanted]
                if len(piece) > wanted:
                    self._down.appendleft(piece[wanted:])
            self._down_bytes -= len(frame)
        return frame.ljust(self._frame_bytes, b"\0")

    def _say(self, lines: list[str], *, answers: bool = False) -> None:
        if self.quirks.urcs_elsewhere and not answers:
            return  # it is told on a port nobody listens to
        for line in lines:
            doubled = (
                self._firmware.manual.doubles_cr
                and self.quirks.double_cr
                and line.startswith(("+CRING:", "+RXDTMF:", "RING"))
            )
            around = b"\r\r\n" if doubled else b"\r\n"
            self._write_at(around + line.encode("utf-8") + around)

    def _write_at(self, data: bytes) -> None:
        if self._ports is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ports.at, data)


class PtyPorts:
    """Two ptys with names; the far ends are kept open so that the box may open and close them at will."""

    way = "0"

    def __init__(self, at_path: Path, pcm_path: Path) -> None:
        self._ptys = (Pty(at_path), Pty(pcm_path))
        self.at, self.pcm = (pty.master for pty in self._ptys)

    def close(self) -> None:
        for pty in self._ptys:
            pty.close()


class Pty:
    """A pty whose far end has a name."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))

    def close(self) -> None:
        self._link.unlink(missing_ok=True)
        os.close(self.master)
        os.close(self._slave)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


def _nothing(*_: object) -> None:
    return None
