"""A seeded run of calls and faults. The same seed makes the same faults in the same order; when they hit is chance.

``python -m tests.sync.faults.chaos --faults 1000 --seed 7`` is the long form (`make soak` runs it through pytest).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.publish as publish

from tests.sync.faults.link import Link
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.faults.world import Cloud, House, hostile_acks, hostile_messages, violations, wait_for

_TEN_YEARS_MS = 10 * 365 * 86_400_000


@dataclass
class Report:
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    bytes: int = 0
    took_s: float = 0.0
    drained: bool = False
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        return (
            f"seed {self.seed}: {sum(self.faults.values())} faults in {self.took_s:.0f} s ({kinds}); "
            f"{self.calls} calls, {self.bytes / 1e6:.1f} MB; {'drained' if self.drained else 'NOT drained'}; "
            f"{len(self.violations)} violations"
        )


class Chaos:
    """Two boxes, a broker, a receiver, and bad luck."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        boxes: int = 2,
        receiver_command: Sequence[str] = ("-m", "sync.receiver", "run"),
        box_command: tuple[str, ...] = ("-m", "cli.main", "sync", "run"),
        scale: float = 1.0,
        drain_s: float = 90.0,
    ) -> None:
        self._rng = random.Random(seed)
        self._folder = folder
        self._scale = scale
        self._drain_s = drain_s
        self.report = Report(seed)
        self.broker = Mosquitto(folder / "broker")
        self.cloud = Cloud(folder, self.broker, command=receiver_command)
        self.houses = []
        for n in range(boxes):
            (folder / f"box-{n}").mkdir(parents=True)
            self.houses.append(
                House(
                    f"oh-box{n}",
                    folder / f"box-{n}",
                    Link(self.broker.port),
                    random.Random(seed * 100 + n),
                    command=box_command,
                )
            )
        self._backups = 0

    # --- up and down ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.broker.start()
        self.cloud.process.start()
        for house in self.houses:
            house.process.start()
        for house in self.houses:
            house.make_call()
        wait_for(self._all_through, self._drain_s)

    def stop(self) -> None:
        for house in self.houses:
            house.process.stop()
            house.link.close()
        self.cloud.process.stop()
        self.broker.stop()

    def run(self, faults: int, *, kinds: Sequence[str] | None = None) -> Report:
        """Plays, heals, waits until everything has arrived, and checks."""
        began = time.monotonic()
        names = list(kinds or self.kinds())
        # Every kind before any comes again; another seed begins elsewhere, so that short runs differ.
        order = [names[(n + 9 * self.report.seed) % len(names)] for n in range(faults)]
        self._rng.shuffle(order)
        try:
            self.start()
            for kind in order:
                for house in self.houses:
                    if self._rng.random() < 0.6:
                        house.make_call()
                self._pause(0.0, 0.4)  # so that it hits what is on its way, or what is just being looked at
                self.fault(kind)
                self._pause(0.0, 0.3)
            self.drain()
        finally:
            self.stop()
        self.report.calls = sum(len(house.ledger) for house in self.houses)
        self.report.bytes = sum(one.size for house in self.houses for one in house.ledger)
        self.report.violations += violations(self.cloud.data, self.houses)
        self.report.took_s = time.monotonic() - began
        return self.report

    def drain(self) -> None:
        """Everything works again; returns when nothing waits any more, or the deadline is over."""
        for house in self.houses:
            house.link.heal()
        self.report.drained = wait_for(self._all_through, self._drain_s, every_s=0.3)

    def _all_through(self) -> bool:
        self.revive()
        return not any(house.waiting() for house in self.houses)

    def revive(self) -> None:
        """As systemd does."""
        self.cloud.process.revive()
        for house in self.houses:
            house.process.revive()

    # --- faults -----------------------------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        return [name.removeprefix("_do_") for name in dir(self) if name.startswith("_do_")]

    def fault(self, kind: str) -> None:
        act: Callable[[House], None] = getattr(self, f"_do_{kind}")
        act(self._rng.choice(self.houses))
        self.report.faults[kind] += 1
        self.revive()

    def _pause(self, shortest_s: float, longest_s: float) -> None:
        time.sleep(self._rng.uniform(shortest_s, longest_s) * self._scale)

    def _do_broker_killed(self, _house: House) -> None:
        self.broker.kill()
        self._pause(0.0, 0.5)
        self.broker.start()

    def _do_broker_frozen(self, _house: House) -> None:
        self.broker.signal(19)  # SIGSTOP
        self._pause(0.3, 1.0)
        self.broker.signal(18)

    def _do_receiver_killed(self, _house: House) -> None:
        self.cloud.process.kill()
        self._pause(0.0, 0.3)

    def _do_receiver_frozen(self, house: House) -> None:
        self.cloud.process.freeze()
        house.make_call()
        self._pause(0.3, 2.0)
        self.cloud.process.thaw()

    def _do_broker_killed_before_delivery(self, house: House) -> None:
        """It has said PUBACK, and the receiver has not read: gone."""
        self.cloud.process.freeze()
        house.make_call()
        self._pause(0.5, 1.0)
        self.broker.kill()
        self.cloud.process.thaw()
        self.broker.start()

    def _do_receiver_absent(self, _house: House) -> None:
        self.cloud.process.stop()
        self._pause(1.5, 3.0)

    def _do_receiver_full(self, house: House) -> None:
        self.cloud.full(True)
        house.make_call()
        self._pause(0.8, 1.5)
        self.cloud.full(False)

    def _do_box_killed(self, house: House) -> None:
        house.process.kill()
        self._pause(0.0, 0.3)

    def _do_box_frozen(self, house: House) -> None:
        house.process.freeze()
        self._pause(0.3, 1.5)
        house.process.thaw()

    def _do_link_cut(self, house: House) -> None:
        house.link.open = False
        house.link.cut()
        self._pause(0.2, 1.5)
        house.link.heal()

    def _do_link_blinks(self, house: House) -> None:
        for _ in range(3):
            house.link.cut()
            self._pause(0.1, 0.3)

    def _do_link_half_open(self, house: House) -> None:
        house.link.silent = True
        self._pause(0.5, 2.0)
        house.link.heal()
        house.link.cut()

    def _do_answers_lost(self, house: House) -> None:
        """Everything arrives, and no acknowledgement comes back: it is all sent again."""
        house.link.deaf = True
        house.make_call()
        self._pause(1.5, 3.0)
        house.link.heal()

    def _do_link_slow(self, house: House) -> None:
        house.link.delay_s, house.link.bytes_per_s = 0.3, 6_000.0  # 50 kbit/s
        house.make_call()
        self._pause(1.0, 2.0)
        house.link.heal()

    def _do_only_311(self, house: House) -> None:
        house.link.only_311 = True
        house.link.cut()
        house.make_call()
        self._pause(1.5, 3.0)
        house.link.heal()
        house.link.cut()

    def _do_wrong_acl(self, house: House) -> None:
        """The operator forbids recordings (or everything) for a while, and the broker says Success to 3.1.1."""
        denied = self._rng.choice(["offhook1/+/up/f/#", "offhook1/+/up/#", "offhook1/+/dn/#"])
        acl = self._folder / "acl"
        acl.write_text(f"topic readwrite #\ntopic deny {denied}\n")
        acl.chmod(0o644)
        self.broker.kill()
        self.broker.write_conf(f"acl_file {acl}\nallow_anonymous true")
        self.broker.start()
        house.make_call()
        self._pause(1.0, 2.0)
        self.broker.kill()
        self.broker.write_conf("")
        self.broker.start()

    def _do_clock_jumps(self, house: House) -> None:
        house.clock_off_ms = self._rng.choice([-_TEN_YEARS_MS, 0, _TEN_YEARS_MS])
        house.make_call()

    def _do_hostile_cloud(self, house: House) -> None:
        publish.multiple(
            [
                {"topic": topic, "payload": payload, "qos": 1}
                for topic, payload in hostile_acks(self._rng, house.name, house)
            ],
            port=self.broker.port,
        )

    def _do_hostile_box(self, house: House) -> None:
        publish.multiple(
            [
                {"topic": topic, "payload": payload, "qos": 1}
                for topic, payload in hostile_messages(self._rng, house.name)
            ],
            port=self.broker.port,
        )

    def _do_cloud_restored(self, house: House) -> None:
        """Yesterday's database under today's files."""
        self.revive()
        wait_for((self.cloud.data / "receiver.db").exists, 20)
        path = self._folder / f"backup-{self._backups}.db"
        self._backups += 1
        self.cloud.backup(path)
        house.make_call()
        self._pause(0.5, 1.5)
        self.cloud.restore(path)

    def _do_database_lost(self, house: House) -> None:
        """What the cloud had not acknowledged would be lost with the card; so it has acknowledged everything."""
        house.link.heal()
        self.revive()
        if wait_for(lambda: not house.waiting(), 30):
            house.lose_database()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--dir", type=Path)
    wishes = parser.parse_args()
    folder = wishes.dir or Path(tempfile.mkdtemp(prefix="offhook-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    chaos = Chaos(folder, seed=wishes.seed)
    report = chaos.run(wishes.faults, kinds=wishes.kinds.split(",") if wishes.kinds else None)
    print(report)
    for one in report.violations[:40]:
        print("  ", one)
    sys.exit(1 if report.violations or not report.drained else 0)


if __name__ == "__main__":
    main()
