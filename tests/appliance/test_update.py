"""Updates from the wish to the proof, over restarts, with every way they can be refused or fail."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.desk import Desk, Pending
from appliance.proof import NotProvedError, Prover, prove
from appliance.rauc import Rauc
from appliance.update import Updater, is_quiet
from appliance.versions import is_downgrade, order
from firmware.errors import OffhookError
from firmware.update_wishes import Action, Phase, Status, When, Wish, incoming, receive, status, wish
from tests.appliance.fake_rauc import FakeRauc, bundle

OLD = "0.1.0+20261101.120000.gaaaaaaa"
NEW = "0.1.0+20261102.120000.gbbbbbbb"


class Box:
    """One box over its restarts: its folders, its slots, what runs."""

    def __init__(self, folder: Path) -> None:
        self.data, self.run = folder / "data", folder / "run"
        self.data.mkdir()
        self.run.mkdir()
        self.rauc = FakeRauc(folder)
        self.version = OLD
        self.restarts = 0
        self.calls_left = 0
        self.on_pause: Callable[[], None] = lambda: None

    def bring(self, version: str, *, name: str = "offhook-x.raucb", **how: Any) -> str:
        kind = {key: how.pop(key) for key in ("compatible", "signed", "breaks") if key in how}
        receive(self.data, name, io.BytesIO(bundle(version, **kind)))
        return wish(self.run, Wish(Action.INSTALL, "page: anna", name, **how))

    def serve(self) -> Status:
        Updater(
            self.data, self.run, rauc=Rauc(self.rauc.program), version=self.version, slot=self.rauc.state()["booted"],
            quiet=self._quiet, restart=self._restarted, pause=lambda _s: self.on_pause(),
        ).serve()  # fmt: skip
        return self.told()

    def start(self, *, good: bool = True, test_call: Callable[[], object] = lambda: None) -> Status:
        """The next start of the box; ``good``: the version does what it should."""
        self.rauc.restart()
        slot = self.rauc.state()["booted"]
        self.version = self.rauc.state()["versions"].get(slot, OLD)

        def check() -> None:
            if not good:
                raise OffhookError("recorder: it does not answer")

        Prover(
            self.data, rauc=Rauc(self.rauc.program), version=self.version, slot=slot, checks=[check],
            test_call=test_call, restart=self._restarted, deadline_s=0,
        ).run()  # fmt: skip
        return self.told()

    def told(self) -> Status:
        found = status(self.data)
        assert found is not None
        return found

    def _quiet(self) -> bool:
        self.calls_left = max(self.calls_left - 1, -1)
        return self.calls_left < 0

    def _restarted(self) -> None:
        self.restarts += 1


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_an_update_is_installed_proves_itself_and_is_marked_good(box: Box) -> None:
    made = box.bring(NEW)
    told = box.serve()
    assert (told.phase, told.candidate, told.id, told.by) == (Phase.RESTARTING, NEW, made, "page: anna")
    assert box.restarts == 1
    assert list(incoming(box.data).iterdir()) == []
    called = []
    told = box.start(test_call=lambda: called.append("call"))
    assert called == ["call"]
    assert (told.phase, told.version, told.slot, told.id) == (Phase.DONE, NEW, "B", made)
    assert told.other_version == OLD
    assert NEW in told.text["en"]
    assert NEW in told.text["zh"]
    assert box.rauc.state()["marked"] == ["good"]
    # From then on the box starts as usual, and the new slot is marked each time.
    assert box.start().phase is Phase.DONE
    assert box.rauc.state()["booted"] == "B"


def test_a_version_that_does_not_prove_itself_goes_back(box: Box) -> None:
    box.bring(NEW)
    box.serve()
    box.start(good=False)
    assert box.rauc.state()["marked"] == ["bad"]
    assert box.restarts == 2
    told = box.start()
    assert (told.phase, told.version, told.candidate) == (Phase.ROLLED_BACK, OLD, NEW)
    assert "it does not answer" in told.text["en"]
    assert box.rauc.state()["booted"] == "A"


def test_a_version_that_records_no_test_call_goes_back(box: Box) -> None:
    def no_call() -> None:
        raise OffhookError("the test call was recorded, but only 0.0 s of it as played")

    box.bring(NEW)
    box.serve()
    box.start(test_call=no_call)
    assert box.rauc.state()["marked"] == ["bad"]
    assert box.start().phase is Phase.ROLLED_BACK


def test_a_version_that_never_starts_is_told_when_the_old_one_runs_again(box: Box) -> None:
    box.bring(NEW)
    box.serve()
    # The boot script counted the new slot's tries down and took the old one.
    state = box.rauc.state()
    Path(box.rauc.program).with_name("rauc-state.json").write_text(json.dumps({**state, "next": "A"}))
    told = box.start()
    assert (told.phase, told.version) == (Phase.ROLLED_BACK, OLD)


def test_an_update_that_a_power_cut_ended_is_told(box: Box) -> None:
    Desk(box.data, version=OLD, slot="A").remember(Pending("1", "usb", NEW, OLD, "A", complete=False))
    (box.data / "updates/taken").mkdir()
    (box.data / "updates/taken/left.raucb").write_bytes(b"half")
    told = box.start()
    assert (told.phase, told.candidate) == (Phase.FAILED, NEW)
    box.bring(NEW)
    assert box.serve().phase is Phase.RESTARTING
    assert list((box.data / "updates/taken").iterdir()) == []


def test_it_waits_until_no_line_is_in_a_call(box: Box) -> None:
    seen = []
    box.calls_left = 3
    box.on_pause = lambda: seen.append(box.told().phase)
    box.bring(NEW)
    assert box.serve().phase is Phase.RESTARTING
    assert seen == [Phase.WAITING] * 3


def test_it_is_refused_in_a_call_when_it_must_not_wait(box: Box) -> None:
    box.calls_left = 100
    box.bring(NEW, when=When.NOW)
    assert box.serve().phase is Phase.REFUSED
    assert box.restarts == 0
    assert box.rauc.state()["versions"] == {}


def test_what_waits_can_be_cancelled(box: Box) -> None:
    box.calls_left = 100
    box.on_pause = lambda: str(wish(box.run, Wish(Action.CANCEL, "page: anna"))) and None
    box.bring(NEW)
    told = box.serve()
    assert told.phase is Phase.REFUSED
    assert "cancelled" in told.text["en"]
    assert box.restarts == 0


@pytest.mark.parametrize(
    ("version", "how", "says"),
    [
        (NEW, {"signed": False}, "no update made for this box"),
        (NEW, {"compatible": "toaster"}, "another kind of box"),
        ("0.0.9+20251101.120000.gccccccc", {}, "is older than"),
        ("0.1.0+20261101.115959.gccccccc", {}, "is older than"),
        ("nightly", {}, "no version of Offhook"),
        (NEW, {"breaks": True}, "No space left on device"),
    ],
)
def test_what_is_refused_changes_nothing(box: Box, version: str, how: dict[str, Any], says: str) -> None:
    box.bring(version, **how)
    told = box.serve()
    assert told.phase in {Phase.REFUSED, Phase.FAILED}
    assert says in told.text["en"]
    assert told.text["zh"] != told.text["en"]
    assert box.restarts == 0
    assert box.rauc.state()["next"] == "A"
    assert list(incoming(box.data).iterdir()) == []
    assert Desk(box.data, version=OLD, slot="A").pending() is None


def test_a_downgrade_is_installed_when_somebody_insists(box: Box) -> None:
    box.bring("0.0.9+20251101.120000.gccccccc", allow_downgrade=True)
    assert box.serve().phase is Phase.RESTARTING


def test_a_link_instead_of_a_bundle_is_not_followed(box: Box) -> None:
    (box.data / "secret").write_bytes(bundle(NEW))
    (incoming(box.data) / "x.raucb").symlink_to(box.data / "secret")
    wish(box.run, Wish(Action.INSTALL, "page", "x.raucb"))
    assert box.serve().phase is Phase.REFUSED


def test_back_to_the_version_before(box: Box) -> None:
    box.bring(NEW)
    box.serve()
    box.start()
    wish(box.run, Wish(Action.BACK, "page: anna"))
    assert box.serve().phase is Phase.RESTARTING
    told = box.start()
    assert (told.phase, told.version, told.slot) == (Phase.DONE, OLD, "A")
    assert "as asked" in told.text["en"]


def test_there_is_no_way_back_from_a_fresh_card(box: Box) -> None:
    wish(box.run, Wish(Action.BACK, "page: anna"))
    assert box.serve().phase is Phase.REFUSED
    assert box.restarts == 0


def test_a_good_box_whose_page_is_gone_for_once_does_not_restart(box: Box) -> None:
    Desk(box.data, version=OLD, slot="A").tell(Phase.IDLE, "idle")
    box.start(good=False)
    assert box.restarts == 0
    assert box.rauc.state()["marked"] == []


def test_a_good_box_whose_boot_state_cannot_be_written_does_not_restart(box: Box) -> None:
    Path(box.rauc.program).write_text("#!/bin/sh\necho 'Failed to write environment' >&2; exit 1\n")
    assert box.start(good=True).phase is Phase.IDLE
    assert box.restarts == 0


def test_a_damaged_note_of_what_is_pending_is_dropped(box: Box) -> None:
    (box.data / "updates").mkdir()
    (box.data / "updates/pending.json").write_text("{")
    assert box.start().phase is Phase.IDLE


@pytest.mark.parametrize(
    ("lines", "quiet"),
    [
        ([], True),
        ([{"phase": "idle", "call": None}], True),
        ([{"phase": "idle", "call": None}, {"phase": "ringing", "call": {"id": "x"}}], False),
        ([{"phase": "suspended", "call": {"id": "x"}}], False),
    ],
)
def test_quiet_is_no_line_in_a_call(lines: list[dict[str, Any]], quiet: bool) -> None:
    assert is_quiet(lines) is quiet


def test_versions_are_ordered_by_release_and_then_by_moment() -> None:
    rising = ["0.1.0", OLD, NEW, "0.2.0", "0.10.0+20200101.000000.g1234567.dirty", "1.0"]
    assert sorted(rising, key=order) == rising
    assert not is_downgrade(OLD, OLD)
    with pytest.raises(ValueError, match="is no version"):
        order("")


def test_a_check_may_fail_until_the_time_is_over() -> None:
    tries = iter([OffhookError("not yet"), None])

    def check() -> None:
        if (fault := next(tries)) is not None:
            raise fault

    prove([check], deadline_s=30)
    with pytest.raises(NotProvedError, match="never"):
        prove([lambda: (_ for _ in ()).throw(OffhookError("never"))], deadline_s=0)
