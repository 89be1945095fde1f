"""``offhook lines calibrate``: watches a real ring and a lifted handset, and proposes a board's debounce times."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from cli.context import Box, pass_box
from cli.printing import json_option, print_json
from firmware.analog.calibration import Verdict, judge, with_voltage
from firmware.analog.profile import Debounce
from firmware.signals.line_voltage import VoltageProposal
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import HOOK_QUIET_MS, RING_QUIET_MS, RawEdge, settled

_POLL_S = 0.5


class _Watch:
    """The raw edges of a line from now on."""

    def __init__(self, client: Any, line: str) -> None:
        self._client, self._line = client, line
        answer = self._ask(2**62)
        self.since = answer["now_boot_ns"]
        self.levels = {Sensor(name): bool(level) for name, level in answer["levels"].items()}
        self.debounce = Debounce(**answer["debounce"])
        self.volts: list[float] = []
        self._volts_until = answer["now_boot_ns"]

    def _ask(self, since: int) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.request("line.edges", line=self._line, since_boot_ns=since)
        return answer

    def _keep_volts(self, answer: dict[str, Any]) -> None:
        new = [(volts, at) for volts, at in answer["volts"] if at > self._volts_until]
        if new:
            self._volts_until = new[-1][1]
            self.volts += [volts for volts, _ in new]

    def wait(self, quiet_ms: float, deadline_s: float) -> tuple[list[RawEdge], float]:
        """Edges until nothing moved for ``quiet_ms`` after the first one; what came by the deadline otherwise."""
        until_s = time.monotonic() + deadline_s
        while True:
            answer = self._ask(self.since)
            self._keep_volts(answer)
            edges = [RawEdge(Sensor(name), bool(active), at / 1e6) for name, active, at in answer["edges"]]
            now_ms = answer["now_boot_ns"] / 1e6
            levels = {Sensor(name): bool(level) for name, level in answer["levels"].items()}
            still = settled(edges, levels, self.levels, now_ms, quiet_ms)
            if still or time.monotonic() > until_s:
                self.since = answer["now_boot_ns"]
                return edges, now_ms
            time.sleep(_POLL_S)


@click.command("calibrate")
@click.argument("line")
@click.option("--wait", "wait_s", default=90.0, show_default=True, help="Seconds to wait for each step.")
@json_option
@pass_box
def command(box: Box, line: str, wait_s: float, as_json: bool) -> None:
    """Watches LINE ring and its handset being lifted, and proposes times for its hat profile.

    Exit code 1 when the wiring is wrong; the output says what to change.
    """

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    with box.client() as client:
        watch = _Watch(client, line)
        idle = watch.levels
        say(f"Step 1 of 2: call {line} from another telephone, let it ring twice, and hang up. Do not answer it.")
        ring, ring_until = watch.wait(RING_QUIET_MS, wait_s)
        if not ring:
            say("Nothing moved on any pin.")
        say("Step 2 of 2: lift the handset, wait five seconds, put it back.")
        hook, hook_until = watch.wait(HOOK_QUIET_MS, wait_s)
    verdict = judge(ring, ring_until, hook, hook_until, idle=idle, now=watch.debounce)
    verdict, volts = with_voltage(verdict, watch.volts)
    _report(verdict, volts, line, as_json)
    if verdict.faults:
        raise SystemExit(1)


def _report(verdict: Verdict, volts: VoltageProposal | None, line: str, as_json: bool) -> None:
    times = {name: getattr(verdict.debounce, name) for name in ("ring_gap_ms", "ring_min_ms", "off_hook_ms")}
    times |= {"on_hook_ms": verdict.debounce.on_hook_ms, "polarity_ms": verdict.debounce.polarity_ms}
    if as_json:
        found = None if volts is None else asdict(volts)
        print_json({"line": line, "faults": list(verdict.faults), "debounce": times, "voltage": found})
        return
    for fault in verdict.faults:
        click.echo(f"{line}: {fault}.")
    if not verdict.faults:
        click.echo("The wiring is right. In the hat profile:\n\n[debounce]")
        for name, ms in times.items():
            click.echo(f"{name} = {ms}")
        if volts is not None:
            click.echo(
                f"\nThe line has {volts.on_hook_v:g} V, and {volts.off_hook_v:g} V with the handset up. In the line's "
                f'options:\n\n[lines.options]\non_hook_v = {volts.on_hook_v:g}\nhook_threshold = "{volts.rule.value}"'
            )
