"""Writes docs/call-machine.md from the call machine's own table, so that the page cannot be wrong."""

from __future__ import annotations

import sys
from collections import defaultdict

from firmware.call_machine import TABLE, WITHOUT_DEVICE, Handler
from firmware.events import LINE_EVENTS, event_kind
from firmware.line_state import Phase

COMMAND = ".venv/bin/python -m firmware.state_diagram > docs/call-machine.md"

_INTRO = f"""# The call machine

This page is generated from `firmware.call_machine.TABLE`; a test compares the two. Do not edit it: after a change of
the table run

```
{COMMAND}
```

One line is in one of five phases. Whether its device is there is a region of its own: without a device only `line_up`,
`line_down` and `tick` reach the table ([below](#without-a-device)). Deadlines are data in the state; a `tick` comes
when one has passed. A pair that nobody planned is accounted as a named fault and logged as an anomaly, never an
exception.

## Diagram

Events that leave the phase as it is are left out; the table has them all.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [_INTRO, _diagram(), "## Table\n", _table(), "## Rules\n", _rules(), "## Without a device\n", _absent()]
    return "\n".join(parts)


def _diagram() -> str:
    arrows: dict[tuple[Phase, Phase], list[str]] = defaultdict(list)
    for (phase, event), rule in TABLE.items():
        for to in Phase:
            if to in rule.to and to is not phase:
                arrows[phase, to].append(event_kind(event))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.IDLE}", f"    [*] --> {Phase.SUSPENDED}: restored"]
    for phase in Phase:
        for to in Phase:
            if (phase, to) in arrows:
                lines.append(f"    {phase} --> {to}: {', '.join(arrows[phase, to])}")
    return "\n".join([*lines, "```\n"])


def _table() -> str:
    """One row per event, one column per phase; a cell names the rule and the phases it may lead to."""
    rows = ["| Event | " + " | ".join(Phase) + " |", "|---" * (len(Phase) + 1) + "|"]
    for event in LINE_EVENTS:
        cells = [_cell(phase, event) for phase in Phase]
        mark = " *" if event.evidence else ""
        rows.append(f"| `{event_kind(event)}`{mark} | " + " | ".join(cells) + " |")
    return "\n".join([*rows, "\n\\* must be accounted for in the ledger.\n"])


def _cell(phase: Phase, event: type) -> str:
    rule = TABLE[phase, event]
    leads = [to.value for to in Phase if to in rule.to]
    return _name(rule.handler) + ("" if rule.to == {phase} else f" → {', '.join(leads)}")


def _rules() -> str:
    handlers = {_name(h): h for h in [*(rule.handler for rule in TABLE.values()), *WITHOUT_DEVICE.values()]}
    rows = [f"| {name} | {_sentence(handlers[name])} |" for name in sorted(handlers)]
    return "\n".join(["| Rule | What it does |", "|---|---|", *rows, ""])


def _absent() -> str:
    rows = [f"| `{event_kind(event)}` | {_name(handler)} |" for event, handler in WITHOUT_DEVICE.items()]
    return "\n".join(["| Event | Rule |", "|---|---|", *rows, "| any other | out of place |", ""])


def _name(handler: Handler) -> str:
    return handler.__name__.replace("_", " ")


def _sentence(handler: Handler) -> str:
    return (handler.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    sys.stdout.write(page())
