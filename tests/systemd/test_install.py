"""The installer's files in a folder that stands for a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "systemd/install.sh"
UNINSTALL = ROOT / "systemd/uninstall.sh"


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_laid_where_systemd_looks(tmp_path: Path) -> None:
    laid = run(INSTALL, "--root", tmp_path)
    assert laid.returncode == 0, laid.stderr
    files = files_in(tmp_path)
    for unit in (ROOT / "systemd").glob("offhook-*.*"):
        assert files[f"etc/systemd/system/{unit.name}"] == unit.read_bytes()
    assert {name for name in files if "systemd/system" not in name} == {
        "etc/sysusers.d/offhook.conf",
        "etc/tmpfiles.d/offhook.conf",
        "etc/udev/rules.d/70-offhook.rules",
        "etc/nginx/sites-enabled/offhook.conf",
        "opt/offhook/certificate",
    }
    assert str((tmp_path / "usr/local/bin/offhook").readlink()) == "/opt/offhook/venv/bin/offhook"


def test_again_changes_nothing_and_an_old_unit_is_replaced(tmp_path: Path) -> None:
    run(INSTALL, DESTDIR=str(tmp_path))
    unit = tmp_path / "etc/systemd/system/offhook-web.service"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert run(INSTALL, DESTDIR=str(tmp_path)).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    unit.write_text("[Unit]\n")
    run(INSTALL, DESTDIR=str(tmp_path))
    assert unit.read_bytes() == (ROOT / "systemd/offhook-web.service").read_bytes()


def test_uninstall_takes_all_of_it_away_but_the_recordings(tmp_path: Path) -> None:
    run(INSTALL, "--root", tmp_path)
    recording = tmp_path / "var/lib/offhook/recordings/a.flac"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"sound")
    gone = run(UNINSTALL, DESTDIR=str(tmp_path))
    assert gone.returncode == 0, gone.stderr
    assert list(files_in(tmp_path)) == ["var/lib/offhook/recordings/a.flac"]
    assert "still in" in gone.stdout
    run(UNINSTALL, "--with-data", DESTDIR=str(tmp_path))
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("script", [INSTALL, UNINSTALL])
def test_wrong_use_is_refused(script: Path) -> None:
    wrong = run(script, "--frobnicate", DESTDIR="/nonexistent")
    assert wrong.returncode == 2
    assert "usage" in wrong.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", [INSTALL, UNINSTALL])
def test_the_scripts_pass_shellcheck(script: Path) -> None:
    checked = run("shellcheck", script)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd")
def test_systemd_makes_the_users_and_folders(tmp_path: Path) -> None:
    run(INSTALL, "--root", tmp_path)
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", tmp_path / "etc" / name)
    made = run("systemd-sysusers", "--root", tmp_path, "offhook.conf")
    assert made.returncode == 0, made.stderr
    users = [line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert {
        f"offhook-{part}" for part in ("migrate", "recorder", "web", "sync", "janitor", "clock", "usb-power")
    } <= set(users)
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    ours = {user for user in users if user.startswith("offhook-")}
    assert set(groups["offhook"].split(",")) == ours
    for group in ("audio", "dialout", "gpio"):
        assert "offhook-recorder" in groups[group]
    made = run("systemd-tmpfiles", "--root", tmp_path, "--create", "offhook.conf")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "var/lib/offhook").stat().st_mode & 0o7777 == 0o2770
