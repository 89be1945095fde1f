"""Both sides of calls over every family whose sound comes over a tty: heard by their content, call after call."""

from __future__ import annotations

import os
import time

import pytest

from firmware.events import CallEnded, CallerId, LineUp
from simulator.sim_module import Quirks
from tests.modem.conftest import Listener, eventually
from tests.modem.test_sound import channels, pitch_hz, tone

from .conftest import WITH_PCM, Bench, Play

CALLS = 5
SECONDS = 2.0
FAR_HZ = (500, 700, 900, 1100, 1300)
RETRY_S = 0.5
"""Between two orders to switch the sound on, on all these families."""


def calls_with_sound(b: Bench, calls: int, seconds: float) -> None:
    """Each call has a tone of its own; the far side hears silence of the same length."""
    listener = Listener(b.line, again=True)
    waits_s, own_s = [], []
    try:
        for call in range(calls):
            hz = FAR_HZ[call % len(FAR_HZ)]
            b.take_call()
            before, answered_s = len(listener.pcm), time.monotonic()
            b.module.downlink(tone(hz, seconds + 2))
            eventually(lambda before=before: len(listener.pcm) > before, within_s=15)
            waits_s.append(time.monotonic() - answered_s)
            own_s.append(waits_s[-1] - RETRY_S * b.module.refused_orders)
            eventually(lambda before=before: len(listener.pcm) - before > seconds * 8000 * 4, within_s=seconds + 15)
            far, near = channels(listener.pcm[before : before + round(seconds * 8000) * 4])
            assert pitch_hz(far) == pytest.approx(hz, abs=3), f"{b.model}: call {call + 1} has another sound"
            assert not near.any(), f"{b.model}: nobody speaks here"
            heard = len(b.module.uplink_heard()) // 2
            assert heard > seconds * 8000 * 0.7, f"{b.model}: the uplink starved in call {call + 1}"
            b.module.remote_hangs_up()
            b.log.wait(CallEnded, count=call + 1)
            time.sleep(1.2)
            restarts = sum(text in {"AT+CRESET", "AT+CFUN=1,1"} for text in list(b.module.commands))
            b.log.wait(LineUp, count=1 + restarts, within_s=20)  # worn-out sound is cured between two calls
        assert listener.error is None
        assert waits_s[-1] < 10, "the last call is as good as the first"
        print(
            f"{b.model}: {calls} calls of {seconds:.0f} s, first sound after {waits_s[0]:.1f} s in the first, "
            f"{waits_s[-1]:.1f} s in the last, {max(waits_s):.1f} s at most; {restarts} restarts; without the half "
            f"second after each order that the module refused: {own_s[0]:.1f}, {own_s[-1]:.1f}, {max(own_s):.1f} s"
        )
    finally:
        listener.close()


def test_five_calls_in_a_row_are_heard(every_family: Play) -> None:
    every_family(lambda b: calls_with_sound(b, CALLS, SECONDS), models=WITH_PCM)


def test_sound_that_is_refused_or_does_not_come_at_first_is_heard_all_the_same(every_family: Play) -> None:
    quirks = lambda: Quirks(boot_s=0.05, cpcmreg_errors=2, pcm_stuck=1)  # noqa: E731
    every_family(lambda b: calls_with_sound(b, 1, SECONDS), quirks, models=WITH_PCM)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_calls_with_ten_seconds_of_sound_each(every_family: Play) -> None:
    calls = int(os.environ.get("SOAK_SOUND_CALLS", "100"))
    worn = lambda: Quirks(boot_s=0.05, ring_every_s=1.6, wears_out_after=12)  # noqa: E731
    every_family(lambda b: calls_with_sound(b, calls, 10.0), worn, models=WITH_PCM)


def test_sound_that_wears_out_from_call_to_call_is_cured_by_a_restart_between_two(every_family: Play) -> None:
    """Each call refuses one order more than the one before, until the module is restarted."""

    def scenario(b: Bench) -> None:
        calls_with_sound(b, 6, 1.0)
        assert any(text in {"AT+CRESET", "AT+CFUN=1,1"} for text in b.module.commands)

    every_family(scenario, lambda: Quirks(boot_s=0.05, ring_every_s=1.6, wears_out_after=1), models=WITH_PCM)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_calls_at_byte_level(every_family: Play) -> None:
    """Incoming calls, one after the other, on all families at once: none lost, none doubled, none merged."""
    calls = int(os.environ.get("SOAK_CALLS", "1000"))

    def scenario(b: Bench) -> None:
        for call in range(calls):
            b.take_call(f"+86138{call:08d}")
            b.module.remote_hangs_up()
            b.log.wait(CallEnded, count=call + 1)
        kinds = b.log.kinds()
        assert kinds.count("Answered") == kinds.count("CallEnded") == calls
        numbers = [event.number for event in b.log.all(CallerId)]
        assert numbers == [f"+86138{call:08d}" for call in range(calls)]

    every_family(scenario, lambda: Quirks(boot_s=0.05, ring_every_s=1.6))
