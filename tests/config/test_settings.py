"""The settings service over the real store: versions, conflicts, the first boot, found devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware import config
from firmware.adopt_devices import with_found_lines
from firmware.clock import SystemClock
from firmware.config import Settings
from firmware.config_text import with_changed_lines
from firmware.errors import ConfigError, ConflictError
from firmware.ports import FoundDevice
from firmware.settings import NO_VERSION, SettingsService
from firmware.store.migrate import migrate
from firmware.store.stored_versions import StoredVersions
from firmware.store.writer import StoreWriter

HAT = [
    FoundDevice("hat:2", "fxo-gpio", {"profile": "two-line-hat", "port": 2}, "Two-line hat, port 2"),
    FoundDevice("hat:1", "fxo-gpio", {"profile": "two-line-hat", "port": 1}, "Two-line hat, port 1"),
]


def sim(path: str, tty: int) -> FoundDevice:
    options = {"at_port": f"/dev/ttyUSB{tty}", "audio_port": f"/dev/ttyUSB{tty + 2}", "family": "sim7600"}
    return FoundDevice(path, "at-modem", options, "SIM7600")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoredVersions]:
    migrate(tmp_path / "offhook.db")
    writer = StoreWriter(tmp_path / "offhook.db", SystemClock())
    writer.start()
    yield StoredVersions(writer)
    writer.stop(5.0)


def named(name: str) -> str:
    return f'[box]\nname = "{name}"\n'


class TestService:
    def test_without_any_document_the_defaults_are_in_force(self, store: StoredVersions) -> None:
        current = SettingsService(store).get()
        assert (current.version, current.document, current.settings) == (NO_VERSION, "", Settings())

    def test_what_was_applied_is_in_force_here_and_after_a_restart(self, store: StoredVersions) -> None:
        service = SettingsService(store)
        version = service.apply(NO_VERSION, named("A"), "me")
        for one in (service, SettingsService(store)):
            assert one.get().version == version
            assert one.get().document == named("A")
            assert one.get().settings.box.name == "A"

    def test_of_two_changes_on_one_version_the_second_is_refused(self, store: StoredVersions) -> None:
        service = SettingsService(store)
        base = service.apply(NO_VERSION, named("A"), "me")
        service.apply(base, named("B"), "page")
        with pytest.raises(ConflictError):
            service.apply(base, named("C"), "cloud")
        assert service.get().settings.box.name == "B"

    def test_a_wrong_document_changes_nothing_and_names_every_fault(self, store: StoredVersions) -> None:
        service = SettingsService(store)
        with pytest.raises(ConfigError) as error:
            service.apply(NO_VERSION, "a = 1\nb = 1", "me")
        assert len(error.value.faults) == 2
        assert store.newest() is None
        assert service.check("a = 1\nb = 1") == error.value.faults

    def test_many_writers_lose_no_change(self, store: StoredVersions) -> None:
        service = SettingsService(store)

        def change(name: str) -> None:
            while True:
                current = service.get()
                try:
                    service.apply(current.version, current.document + f"# {name}\n", name)
                    return
                except ConflictError:
                    continue

        writers = [threading.Thread(target=change, args=(f"w{i}",)) for i in range(8)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(20)
        assert sorted(service.get().document.split()) == sorted(["#", *"#######", *(f"w{i}" for i in range(8))])

    def test_a_document_of_an_earlier_version_does_not_stop_the_box(self, store: StoredVersions) -> None:
        store.apply(base_version=NO_VERSION, document=named("A") + "old_key = 1\n", by="an earlier Offhook")
        current = SettingsService(store).get()
        assert current.settings.box.name == "A"
        assert current.faults
        assert current.version == 1


class TestFirstBoot:
    def test_the_file_is_imported_once(self, store: StoredVersions, tmp_path: Path) -> None:
        file = tmp_path / "first-boot.toml"
        file.write_text(named("From the card"))
        service = SettingsService(store)
        service.import_first_boot(file)
        assert service.get().settings.box.name == "From the card"
        service.apply(service.get().version, named("By the admin"), "me")
        again = SettingsService(store)
        again.import_first_boot(file)
        assert again.get().settings.box.name == "By the admin"

    def test_no_file_is_fine(self, store: StoredVersions, tmp_path: Path) -> None:
        service = SettingsService(store)
        service.import_first_boot(tmp_path / "first-boot.toml")
        assert service.get().version == NO_VERSION

    @pytest.mark.parametrize("content", [b"a = 1\n[box]\nname = 3\n", b"\xff\xfe", b"x"])
    def test_a_wrong_file_stops_the_start_and_names_itself(
        self, store: StoredVersions, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "first-boot.toml"
        file.write_bytes(content)
        service = SettingsService(store)
        with pytest.raises(ConfigError) as error:
            service.import_first_boot(file)
        assert all(str(file) in fault for fault in error.value.faults)
        assert store.newest() is None


class TestFoundDevices:
    def test_they_become_lines_in_the_order_of_their_places(self) -> None:
        settings = with_found_lines(Settings(), [sim("1-1.10", 5), *HAT, sim("1-1.9", 0)])
        assert {line.id: line.device for line in settings.lines} == {
            "fxo-1": "hat:1",
            "fxo-2": "hat:2",
            "sim-1": "1-1.9",
            "sim-2": "1-1.10",
        }

    def test_again_changes_nothing(self) -> None:
        settings = with_found_lines(Settings(), HAT)
        assert with_found_lines(settings, list(reversed(HAT))) is settings

    def test_a_module_keeps_its_line_when_its_ports_get_other_names(self) -> None:
        before = with_found_lines(Settings(), [sim("1-1.1", 0), sim("1-1.2", 5)])
        after = with_found_lines(before, [sim("1-1.1", 5), sim("1-1.2", 0)])
        assert [(line.id, line.device, line.options.at_port) for line in after.lines] == [
            ("sim-1", "1-1.1", "/dev/ttyUSB5"),
            ("sim-2", "1-1.2", "/dev/ttyUSB0"),
        ]

    def test_a_pulled_module_keeps_its_line(self) -> None:
        before = with_found_lines(Settings(), [sim("1-1.1", 0), sim("1-1.2", 5)])
        assert with_found_lines(before, [sim("1-1.2", 5)]) is before

    def test_a_line_that_an_admin_wrote_is_not_doubled(self) -> None:
        written = config.parse(
            '[[lines]]\nid = "boss"\ndriver = "at-modem"\n[lines.options]\nat_port = "/dev/ttyUSB2"\n'
            'audio_port = "/dev/ttyUSB4"\nfamily = "sim7600"\n'
        )
        assert with_found_lines(written, [sim("1-1.1", 2)]) is written

    def test_two_profiles_of_one_hat_make_one_line_per_port(self) -> None:
        twice = [*HAT, FoundDevice("hat:1", "fxo-gpio", {"profile": "other", "port": 1}, "")]
        assert len(with_found_lines(Settings(), twice).lines) == 2

    def test_an_admin_can_forbid_it(self) -> None:
        settings = config.parse("[box]\nfound_devices_become_lines = false")
        assert with_found_lines(settings, HAT) is settings

    def test_ids_go_on_after_the_highest(self) -> None:
        one = with_found_lines(Settings(), [sim("1-1.1", 0), sim("1-1.2", 5)])
        without_first = config.Settings(lines=one.lines[1:])
        assert [line.id for line in with_found_lines(without_first, [sim("1-1.3", 9)]).lines] == ["sim-2", "sim-3"]

    @pytest.mark.parametrize("text", ["", "# mine\n[box]\nname = 'x' # keep", "lines = []\n"])
    def test_the_admins_own_text_stays(self, text: str) -> None:
        before = config.parse(text)
        after = with_found_lines(before, HAT)
        document = with_changed_lines(text, before=before, after=after)
        assert config.parse(document) == after
        for word in ("# mine", "# keep"):
            assert (word in document) == (word in text)

    def test_they_are_remembered_as_a_version(self, store: StoredVersions) -> None:
        service = SettingsService(store)
        first = service.add_found([sim("1-1.1", 0)])
        assert first.version == 1
        assert service.add_found([sim("1-1.1", 0)]) is first
        moved = service.add_found([sim("1-1.1", 4), *HAT])
        assert moved.version == 2
        again = SettingsService(store).get()
        assert again.settings == moved.settings
        assert [line.id for line in again.settings.lines] == ["sim-1", "fxo-1", "fxo-2"]
        assert again.settings.lines[0].options.at_port == "/dev/ttyUSB4"
