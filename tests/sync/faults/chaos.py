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

import paho.mqtt.client as mqtt
import paho.mqtt.publish as publish
from paho.mqtt.enums import CallbackAPIVersion

from simulator.tun_link import TunLink, unavailable
from tests.sync.faults.checker import missing, violations
from tests.sync.faults.clouds import RECEIVER, EmbeddedCloud, ScaledCloud
from tests.sync.faults.hostile import hostile_acks, hostile_messages
from tests.sync.faults.link import Link
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.faults.world import House, Process, wait_for
from tests.sync.receiver.engines import Engines

_READY_S = 60.0
_BYTES_OF_A_CALL = 2_000
"""Its records, at least."""
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
    """Two boxes, a broker, receivers, and bad luck."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        boxes: int = 2,
        receiver_command: Sequence[str] = RECEIVER,
        box_command: tuple[str, ...] = ("-m", "cli.main", "sync", "run"),
        engines: Engines | None = None,
        scale: float = 1.0,
        drain_s: float = 90.0,
    ) -> None:
        """With ``engines`` two receivers on PostgreSQL and S3, else the embedded one."""
        self._rng = random.Random(seed)
        self._folder = folder
        self._scale = scale
        self._drain_s = drain_s
        self.report = Report(seed)
        self.broker = Mosquitto(folder / "broker")
        self.cloud: EmbeddedCloud | ScaledCloud
        if engines is None:
            self.cloud = EmbeddedCloud(folder, self.broker, command=receiver_command)
        else:
            self.cloud = ScaledCloud(folder, self.broker, engines)
        self.houses = []
        self._lossy = []
        for n in range(boxes):
            (folder / f"box-{n}").mkdir(parents=True)
            lossy = None if unavailable() else TunLink(seed=seed * 100 + n)
            if lossy is not None:
                self._lossy.append(lossy)
            self.houses.append(
                House(
                    f"oh-box{n}",
                    folder / f"box-{n}",
                    Link(self.broker.port, host=lossy.far if lossy else "127.0.0.1"),
                    random.Random(seed * 100 + n),
                    lossy=lossy,
                    command=box_command,
                )
            )
        self._backups = 0

    # --- up and down ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.broker.start()
        self.cloud.start()
        wait_for(self.cloud.ready, _READY_S)
        for house in self.houses:
            house.process.start()
        for house in self.houses:
            house.make_call()
        wait_for(self._all_through, self._drain_s)

    def stop(self) -> None:
        for house in self.houses:
            house.process.stop()
            house.link.close()
        for lossy in self._lossy:
            lossy.close()
        self.cloud.stop()
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
        self.report.violations += violations(self.cloud, self.houses)
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
        for process in self.cloud.processes:
            process.revive()
        for house in self.houses:
            house.process.revive()

    # --- faults -----------------------------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        """Those that can be had here: packets get lost only behind an emulated link, and each storage has its own."""
        kinds = [name.removeprefix("_do_") for name in dir(self) if name.startswith("_do_")]
        scaled = isinstance(self.cloud, ScaledCloud)
        not_here = {"cloud_restored"} if scaled else {"database_killed", "object_store_killed"}
        if not self._lossy:
            not_here |= {"packets_lost"}
        return [kind for kind in kinds if kind not in not_here]

    def _receiver(self) -> Process:
        return self._rng.choice(self.cloud.processes)

    def _freeze_receivers(self) -> None:
        for process in self.cloud.processes:
            process.freeze()

    def _thaw_receivers(self) -> None:
        for process in self.cloud.processes:
            process.thaw()

    def fault(self, kind: str) -> None:
        act: Callable[[House], None] = getattr(self, f"_do_{kind}")
        act(self._rng.choice(self.houses))
        self.report.faults[kind] += 1
        self.revive()

    def _pause(self, shortest_s: float, longest_s: float) -> None:
        time.sleep(self._rng.uniform(shortest_s, longest_s) * self._scale)

    def _call_on_its_way(self, house: House, *, repeated: bool = False) -> None:
        """Makes a call, and waits until the box has said so (and has said it once more), or cannot."""
        before = house.link.bytes_up
        house.make_call()
        wait_for(lambda: house.link.bytes_up >= before + _BYTES_OF_A_CALL, 6.0)
        if repeated:
            said = -1
            while said != house.link.bytes_up:
                said = house.link.bytes_up
                time.sleep(0.4)
            wait_for(lambda: house.link.bytes_up >= said + _BYTES_OF_A_CALL // 2, 15.0)

    def _do_broker_killed(self, _house: House) -> None:
        self.broker.kill()
        self._pause(0.0, 0.5)
        self.broker.start()

    def _do_broker_frozen(self, _house: House) -> None:
        self.broker.signal(19)  # SIGSTOP
        self._pause(0.3, 1.0)
        self.broker.signal(18)

    def _do_receiver_killed(self, _house: House) -> None:
        self._receiver().kill()
        self._pause(0.0, 0.3)

    def _do_receiver_frozen(self, house: House) -> None:
        receiver = self._receiver()
        receiver.freeze()
        house.make_call()
        self._pause(0.3, 2.0)
        receiver.thaw()

    def _do_broker_killed_before_delivery(self, house: House) -> None:
        """It has said PUBACK, and the receiver has not read: gone."""
        self._freeze_receivers()
        self._call_on_its_way(house)
        self._pause(0.5, 1.0)
        self.broker.kill()
        self._thaw_receivers()
        self.broker.start()

    def _do_receiver_absent(self, _house: House) -> None:
        self.cloud.stop()
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
        self._call_on_its_way(house, repeated=True)
        self._pause(0.5, 1.0)
        house.link.heal()

    def _do_messages_doubled(self, house: House) -> None:
        """Whatever the box says of a call arrives twice, as after a lost PUBACK."""
        heard: list[tuple[str, bytes]] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.on_message = lambda _client, _data, message: heard.append((message.topic, bytes(message.payload)))
        client.connect("127.0.0.1", self.broker.port)
        client.subscribe(f"offhook1/{house.name}/up/#", qos=1)
        client.loop_start()
        house.make_call()
        wait_for(lambda: any(topic.endswith("/up/ev") for topic, _payload in heard), 15.0)
        self._pause(0.5, 1.0)
        for topic, payload in list(heard):
            client.publish(topic, payload, qos=1).wait_for_publish(5.0)
        client.disconnect()
        client.loop_stop()

    def _do_link_slow(self, house: House) -> None:
        house.link.delay_s, house.link.bytes_per_s = 0.3, 6_000.0  # 50 kbit/s
        house.make_call()
        self._pause(1.0, 2.0)
        house.link.heal()

    def _do_packets_lost(self, house: House) -> None:
        """1 to 10 % both ways, with 300 ms."""
        assert house.lossy is not None
        for way in (house.lossy.up, house.lossy.down):
            way.loss, way.delay_s = self._rng.uniform(0.01, 0.10), 0.15
        house.make_call()
        self._pause(2.0, 4.0)
        for way in (house.lossy.up, house.lossy.down):
            way.loss = way.delay_s = 0.0

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
        assert isinstance(self.cloud, EmbeddedCloud)
        wait_for(self.cloud.ready, 20)
        path = self._folder / f"backup-{self._backups}.db"
        self._backups += 1
        self.cloud.backup(path)
        house.make_call()
        self._pause(0.5, 1.5)
        self.cloud.restore(path)

    def _do_database_killed(self, house: House) -> None:
        """PostgreSQL goes away in the middle, and recovers."""
        assert isinstance(self.cloud, ScaledCloud)
        house.make_call()
        self._pause(0.0, 0.5)
        self.cloud.engines.postgres.kill()
        self._pause(0.0, 1.0)
        self.cloud.engines.postgres.start()

    def _do_object_store_killed(self, house: House) -> None:
        assert isinstance(self.cloud, ScaledCloud)
        self.cloud.engines.s3.stop()
        house.make_call()
        self._pause(1.0, 2.0)
        self.cloud.engines.s3.start()

    def _do_database_lost(self, house: House) -> None:
        """What only the card knew would be lost with it. So the cloud has everything: not only has it said so, it has
        it still (yesterday's backup may just have come back, and the box not yet know)."""
        house.link.heal()
        self.revive()
        if wait_for(lambda: not house.waiting() and self._has_all_of(house), 30):
            house.lose_database()

    def _has_all_of(self, house: House) -> bool:
        if not self.cloud.ready():
            return False
        with self.cloud.opened() as kept:
            return not missing(kept, house.name, house.ledger)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--scaled", action="store_true", help="two receivers on PostgreSQL and S3")
    parser.add_argument("--dir", type=Path)
    wishes = parser.parse_args()
    folder = wishes.dir or Path(tempfile.mkdtemp(prefix="offhook-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    engines = Engines(folder / "engines") if wishes.scaled else None
    try:
        chaos = Chaos(folder, seed=wishes.seed, engines=engines)
        report = chaos.run(wishes.faults, kinds=wishes.kinds.split(",") if wishes.kinds else None)
    finally:
        if engines is not None:
            engines.stop()
    print(report)
    for one in report.violations[:40]:
        print("  ", one)
    sys.exit(1 if report.violations or not report.drained else 0)


if __name__ == "__main__":
    main()
