"""One SIM line as the network sees it: notices what the box does, and keeps the far side's voice flowing."""

from __future__ import annotations

import threading

from firmware.worker import Worker
from simulator.mixer import Mixer
from simulator.sim_module import SimModule

_BLOCK_FRAMES = 320
_BLOCK_S = _BLOCK_FRAMES / 8000
_AHEAD_S = 0.12
"""So much sound waits in the module at most: what is said is heard that much later."""


class SimLine:
    """Drives a `SimModule`; the far side speaks by playing into ``downlink``."""

    def __init__(self, module: SimModule, seed: int) -> None:
        self.downlink = Mixer(seed=seed)
        self._module = module
        self._changed = threading.Condition()
        self._dialled: str | None = None
        self._up = False
        self._hung_up = False
        self._taken = False
        self._voice: Worker | None = None
        module.on_dial = self._box_dialled
        module.on_answer = self._box_answered
        module.on_hangup = self._box_hung_up
        module.on_take = self._box_took_the_second

    def start(self) -> None:
        self._module.start()

    def stop(self) -> None:
        self._end()
        self._stop_voice()
        self._module.stop()

    # --- what the network does --------------------------------------------------------------------------------------

    def calls(self, number: str | None) -> None:
        """Somebody calls; None withholds the number."""
        self._fresh()
        self._module.incoming(number)

    def caller_gives_up(self) -> None:
        self._module.caller_hangs_up()

    def far_side_rings(self) -> None:
        self._module.remote_rings()

    def far_side_answers(self) -> None:
        self._module.remote_answers()
        self._begin()

    def far_side_is_busy(self) -> None:
        self._module.remote_busy()

    def far_side_hangs_up(self) -> None:
        self._module.remote_hangs_up()
        self._end()

    def far_side_leaves(self) -> None:
        """Whatever the call has come to, it is over for the far side."""
        self._module.caller_hangs_up()
        self._module.remote_no_answer()
        self.far_side_hangs_up()

    def knocks(self, number: str) -> None:
        """Somebody else calls while a call is up."""
        with self._changed:
            self._taken = False
        self._module.incoming(number)

    def held_side_hangs_up(self) -> None:
        """Who was put on hold has had enough."""
        self._module.held_hangs_up()

    def pull_plug(self) -> None:
        self._module.unplug()
        self._end()

    def put_plug_in(self) -> None:
        self._module.plug()

    # --- what the box does ------------------------------------------------------------------------------------------

    @property
    def call_is_up(self) -> bool:
        return self._up

    def wait_answered(self, deadline_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._up, deadline_s)

    def wait_dialled(self, deadline_s: float) -> str | None:
        """What the box dialled; None when nothing within ``deadline_s``. Call `expect_dial` first."""
        with self._changed:
            self._changed.wait_for(lambda: self._dialled is not None, deadline_s)
            return self._dialled

    def wait_taken(self, deadline_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._taken, deadline_s)

    def expect_dial(self) -> None:
        """Forgets what was dialled before."""
        self._fresh()

    def wait_hung_up(self, deadline_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._hung_up, deadline_s)

    # ----------------------------------------------------------------------------------------------------------------

    def _fresh(self) -> None:
        with self._changed:
            self._dialled, self._up, self._hung_up = None, False, False

    def _box_dialled(self, number: str) -> None:
        with self._changed:
            self._dialled = number
            self._changed.notify_all()

    def _box_answered(self) -> None:
        self._begin()

    def _box_took_the_second(self) -> None:
        with self._changed:
            self._taken = True
            self._changed.notify_all()

    def _box_hung_up(self) -> None:
        with self._changed:
            self._hung_up = True
        self._end()

    def _begin(self) -> None:
        self._stop_voice()
        with self._changed:
            self._up = True
            self._changed.notify_all()
        self._voice = Worker(f"street-voice-{self._module.name}", self._speak)
        self._voice.start()

    def _end(self) -> None:
        with self._changed:
            self._up = False
            self._changed.notify_all()
        self.downlink.silence()
        if self._voice is not None:
            self._voice.request_stop()

    def _stop_voice(self) -> None:
        if self._voice is not None:
            self._voice.stop()
            self._voice = None

    def _speak(self, stop: threading.Event) -> None:
        while not stop.wait(_BLOCK_S):
            while self._module.downlink_pending_s < _AHEAD_S:
                self._module.downlink(self.downlink.block(_BLOCK_FRAMES))
