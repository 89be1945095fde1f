"""The sync machine against a cloud and a link in made-up time: what arrives, what is said to have arrived, and when."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import moves, wire
from sync.machine import SyncMachine
from sync.moves import Phase, QueuedFile, QueuedRecord
from sync.pacing import Pacing, Schedule, minutes_of
from sync.transfer import POSTPONE_S
from tests.sync.box.cloud_model import STORE, World, fid, ready, sha

MB = 1_000_000


def test_everything_arrives_once_over_a_good_link() -> None:
    world = World(records=500, files={1: 480_044, 2: 1, 3: 3 * MB})
    world.run(60, until=lambda: world.done)
    assert world.done
    assert set(world.cloud.records.values()) == {1}
    assert world.cloud.received_bytes == 480_044 + 1 + 3 * MB


def test_silence_of_the_broker_about_publishes_is_no_acknowledgement() -> None:
    world = World(records=5, files={1: 100_000})
    world.run(10, until=lambda: ready(world))
    world.receiver_up = False  # PUBACKs go on
    world.run(300)
    assert len(world.pending_records) == 5
    assert world.pending_files
    assert world.machine.phase is Phase.AWAY
    world.receiver_up = True
    world.run(400, until=lambda: world.done)
    assert world.done


def test_without_a_receiver_only_a_hello_goes_now_and_then() -> None:
    world = World(records=100, files={1: MB})
    world.receiver_up = False
    world.run(3600)
    kinds = {type(effect) for _, effect in world.sent if isinstance(effect, moves.Send)}
    assert kinds == {moves.SendHello}
    hellos = [at for at, effect in world.sent if isinstance(effect, moves.SendHello)]
    assert 10 <= len(hellos) <= 20
    assert max(b - a for a, b in itertools.pairwise(hellos)) <= 301


@pytest.mark.parametrize("pipe_is_seen", [True, False])
def test_a_cut_costs_at_most_one_window(pipe_is_seen: bool) -> None:
    world = World(files={1: 2 * MB}, bytes_per_s=60_000, delay_s=0.15, pipe_is_seen=pipe_is_seen)
    world.run(15)
    before = world.cloud.received_bytes
    assert 200_000 < before < 2 * MB
    window = world.machine.link.window(pipe_is_seen=pipe_is_seen)
    world.cut()
    world.run(120, until=lambda: world.done)
    assert world.done
    assert world.cloud.received_bytes - 2 * MB <= window


@pytest.mark.parametrize(("pipe_is_seen", "p95_s"), [(True, 1.0), (False, 1.5)])
def test_a_record_does_not_wait_behind_audio(pipe_is_seen: bool, p95_s: float) -> None:
    world = World(files={1: 4 * MB, 2: 4 * MB}, bytes_per_s=62_500, delay_s=0.15, pipe_is_seen=pipe_is_seen)
    world.run(20)
    for _ in range(40):
        world.add_record()
        world.run(1.3)
    late = sorted(world.record_latency_s.values())
    assert len(late) >= 38
    assert late[int(len(late) * 0.95)] <= p95_s


@pytest.mark.parametrize("pipe_is_seen", [True, False])
@pytest.mark.parametrize(("bytes_per_s", "delay_s"), [(62_500, 0.15), (625_000, 0.035), (6_250, 0.3)])
def test_the_link_is_kept_busy(bytes_per_s: float, delay_s: float, pipe_is_seen: bool) -> None:
    files = dict.fromkeys(range(1, 9), int(bytes_per_s * 20))
    world = World(files=files, bytes_per_s=bytes_per_s, delay_s=delay_s, pipe_is_seen=pipe_is_seen)
    world.run(400, until=lambda: world.done)
    assert world.done
    assert world.now_s <= 160 * 1.05 + 3


def test_many_short_files_keep_the_link_busy() -> None:
    world = World(files=dict.fromkeys(range(1, 101), 60_000), bytes_per_s=62_500, delay_s=0.15)
    world.run(400, until=lambda: world.done)
    assert world.now_s <= 96 * 1.1 + 3


def test_the_back_off_grows_until_the_receiver_itself_answers() -> None:
    world = World(records=1)
    world.broker_up = False
    world.run(3600)
    tries = [at for at, effect in world.sent if isinstance(effect, moves.Connect)]
    assert 12 <= len(tries) <= 40
    assert max(b - a for a, b in itertools.pairwise(tries)) <= 301
    # The broker is back, the receiver is not: nothing of the back-off is forgiven yet.
    world.broker_up, world.receiver_up = True, False
    world.run(400, until=lambda: world.machine.phase is Phase.GREETING)
    world.cut()
    before_s = world.now_s
    world.run(400, until=lambda: world.machine.phase is Phase.CONNECTING)
    assert world.now_s - before_s >= 100
    # The receiver answers: the next cut costs a second.
    world.receiver_up = True
    world.run(400, until=lambda: ready(world))
    world.cut()
    before_s = world.now_s
    world.run(400, until=lambda: world.machine.phase is Phase.CONNECTING)
    assert world.now_s - before_s <= 1.1


def test_urgent_audio_overtakes_at_a_chunk() -> None:
    world = World(files={1: 3 * MB}, prio={2: 2}, bytes_per_s=100_000)
    world.run(8)
    world.add_file(2, 200_000)
    asked_s = world.now_s
    world.run(60, until=lambda: fid(2) in world.cloud.stored)
    assert world.now_s - asked_s < 5
    assert fid(1) not in world.cloud.stored


def test_audio_keeps_to_its_hours_and_records_do_not() -> None:
    pacing = Pacing(Schedule((minutes_of("22:00-06:00"),)))
    world = World(records=3, files={1: 100_000, 2: 100_000}, prio={2: 2}, pacing=pacing)
    world.minute = 12 * 60
    world.run(120)
    assert not world.pending_records
    assert world.cloud.stored == {fid(2)}, "what a person asked for goes at once"
    world.minute = 23 * 60
    world.run(30, until=lambda: world.done)
    assert world.done


def test_a_clock_that_cannot_be_trusted_keeps_no_hours() -> None:
    world = World(files={1: 1000}, pacing=Pacing(Schedule((minutes_of("22:00-06:00"),))))
    world.minute = None
    world.run(30, until=lambda: world.done)
    assert world.done


def test_the_rate_limit_holds() -> None:
    world = World(files={1: MB}, pacing=Pacing(bytes_per_s=50_000))
    world.run(100, until=lambda: world.done)
    assert world.done
    assert 15 <= world.now_s <= 25


def test_a_pause_stops_audio_and_now_takes_it_back() -> None:
    world = World(records=1, files={1: MB})
    world.machine.pacing.paused_until_s = float("inf")
    world.run(60)
    assert not world.pending_records
    assert not world.cloud.received_bytes
    world.machine.hurry(world.now_s)
    world.run(60, until=lambda: world.done)
    assert world.done


def test_a_full_cloud_stops_audio_only() -> None:
    world = World(files={1: MB})
    world.cloud.full = True
    world.run(20)
    for _ in range(5):
        world.add_record()
    world.run(20)
    assert not world.pending_records
    assert "cloud_full" in world.troubles
    chunks = [effect for _, effect in world.sent if isinstance(effect, moves.SendChunk)]
    assert len(chunks) <= 12
    world.cloud.full = False
    world.run(60, until=lambda: world.done)
    assert world.done


def test_a_refused_record_is_set_aside_and_the_others_go() -> None:
    world = World(records=50)
    world.cloud.refused = {7}
    world.run(30, until=lambda: world.done)
    assert set(world.refused) == {7}
    assert len(world.cloud.records) == 49


def greeted(**limits: int) -> SyncMachine:
    machine = SyncMachine(random=lambda: 0.5)
    machine.tick(0.0)
    machine.connected(0.0, **limits)
    machine.acknowledged(0.1, wire.HelloAck(srv_ms=1, store=STORE))
    return machine


def test_a_record_too_large_for_any_broker_is_refused_and_for_this_one_postponed() -> None:
    machine = greeted(max_packet=20_480)
    effects = machine.offer(1.0, records=[QueuedRecord(seq=1, size=200_000), QueuedRecord(seq=2, size=50_000)])
    assert [type(effect) for effect in effects] == [moves.RecordRefused, moves.RecordPostponed]


def test_no_chunk_is_larger_than_the_broker_takes() -> None:
    machine = greeted(max_packet=6_000)
    machine.offer(1.0, files=[QueuedFile(fid=fid(1), size=100_000, sha256=sha(1), prio=3)])
    effects = machine.acknowledged(1.1, wire.FileAck(f=fid(1), state="receiving"))
    sizes = {effect.length for effect in effects if isinstance(effect, moves.SendChunk)}
    assert sizes == {6_000 - 512}


def test_no_more_publishes_are_open_than_the_broker_allows() -> None:
    machine = greeted(receive_max=3)
    machine.published(0.1, 1)
    effects = machine.offer(1.0, records=[QueuedRecord(seq=n, size=100) for n in range(1, 30)])
    assert len(effects) == 3
    assert len(machine.published(1.1, effects[0].token)) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "ack",
    [
        wire.FileAck(f=fid(1), state="stored", size=99, sha256=sha(1), store=STORE),
        wire.FileAck(f=fid(1), state="stored", size=100, sha256=sha(2), store=STORE),
        wire.FileAck(f=fid(1), state="stored"),
        wire.FileAck(f=fid(1), state="receiving", rc=wire.RC_RESEND_ALL),
    ],
    ids=["other size", "other hash", "nothing", "resend all"],
)
def test_stored_counts_only_with_our_own_size_and_hash(ack: wire.FileAck) -> None:
    machine = greeted()
    machine.offer(1.0, files=[QueuedFile(fid=fid(1), size=100, sha256=sha(1), prio=3)])
    kinds = [type(effect) for effect in machine.acknowledged(1.1, ack)]
    assert moves.FileSuspect in kinds
    assert moves.FileStored not in kinds


def test_an_acknowledgement_of_what_was_never_sent_counts_for_nothing() -> None:
    machine = greeted()
    assert machine.acknowledged(1.0, wire.RecordsAck(epoch="e", seq=(1, 2, 3))) == []
    stored = wire.FileAck(f=fid(1), state="stored", size=100, sha256=sha(1), store=STORE)
    assert machine.acknowledged(1.0, stored) == []


def test_a_file_without_progress_is_set_aside_while_others_go() -> None:
    machine = greeted()
    machine.offer(1.0, files=[QueuedFile(fid=fid(1), size=100, sha256=sha(1), prio=3)])
    machine.acknowledged(1.1, wire.FileAck(f=fid(1), state="receiving"))
    effects: list[moves.Effect] = []
    for n in range(10):
        effects += machine.acknowledged(2.0 + n, wire.FileAck(f=fid(1), state="receiving", rc=wire.RC_RESEND))
    postponed = [effect for effect in effects if isinstance(effect, moves.FilePostponed)]
    assert [(effect.fid, effect.wait_s) for effect in postponed] == [(fid(1), POSTPONE_S)]


def test_a_broker_that_forbids_is_told_of_and_not_flooded() -> None:
    machine = SyncMachine(random=lambda: 0.5)
    machine.tick(0.0)
    (hello,) = machine.connected(0.0)
    assert isinstance(hello, moves.SendHello)
    effects = machine.published(0.1, hello.token, 0x87)
    assert {effect.key for effect in effects if isinstance(effect, moves.Trouble)} == {"receiver_away", "not_allowed"}
    assert machine.phase is Phase.AWAY


FAULTS = st.lists(
    st.tuples(st.sampled_from(["cut", "broker", "receiver", "half-open", "loss"]), st.floats(0.5, 40)), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), faults=FAULTS, loss=st.sampled_from([0.0, 0.05, 0.3]))
def test_whatever_happens_everything_arrives_and_nothing_is_believed_too_early(
    seed: int, faults: list[tuple[str, float]], loss: float
) -> None:
    world = World(records=40, files={1: 300_000, 2: 70_000, 3: 5}, seed=seed, loss=loss, bytes_per_s=50_000)
    for kind, seconds in faults:
        world.run(seconds / 4)
        if kind == "cut":
            world.cut()
        elif kind == "broker":
            world.broker_up = False
            world.cut()
        elif kind == "receiver":
            world.receiver_up = False
        elif kind == "half-open":
            world.up = False
        world.run(seconds)
        world.broker_up = world.receiver_up = world.up = True
    world.loss = 0.0
    world.run(4 * 3600, until=lambda: world.done)
    assert world.done
    assert world.cloud.stored == {fid(1), fid(2), fid(3)}
    assert set(world.cloud.records) == set(range(1, 41))
    assert not world.refused
