"""The steps of the box itself, before any line."""

from __future__ import annotations

from fieldtest import probe_network, probe_storage, probe_system
from fieldtest.access import Access
from fieldtest.catalogue import Group
from fieldtest.results import Results, Words
from fieldtest.run import FOLDER

_CANNOT_TELL = ("this machine cannot tell", "该设备无法提供")
_NO_CLOUD = ("no cloud is set up", "未设置云端")


def measure_box(box: Access) -> Results:
    """Some seconds; nobody has to do anything."""
    results = Results(Group.BOX)
    low = probe_system.under_voltage()
    if low is None:
        results.not_tested("under_voltage", *_CANNOT_TELL)
    else:
        results.fact("under_voltage", not low)
    _measured(results, "temperature", probe_system.temperature_c())
    _storage(results, box)
    results.fact("database", box.database_is_intact())
    error_s = probe_system.clock_error_s()
    if error_s is None:
        results.not_tested(
            "clock", "the clock is not synchronised (no network time yet)", "时钟尚未同步（没有网络时间）"
        )
    else:
        results.measured("clock", error_s)
    _network(results, box)
    return results


def _storage(results: Results, box: Access) -> None:
    folder = box.data / FOLDER
    try:
        folder.mkdir(mode=0o770, exist_ok=True)
        written = probe_storage.write_rate(folder)
    except OSError as error:
        said = Words(en=str(error), zh=str(error))
        results.measured("storage_rate", 0.0, note=said)
        results.not_tested("storage_stall", said.en, said.zh)
    else:
        results.measured("storage_rate", written.mb_per_s)
        results.measured("storage_stall", written.longest_ms)
    results.measured("storage_free", probe_storage.free_percent(box.data))
    _measured(results, "storage_wear", probe_storage.life_used_percent(box.data))
    _measured(results, "storage_errors", probe_storage.errors(box.data))


def _network(results: Results, box: Access) -> None:
    """A box without a network records all the same: offline is not a fault of the lines."""
    up = probe_network.connected()
    if not up:
        results.not_tested("network", "offline", "离线")
    else:
        results.fact("network", True)
    cloud = box.sync()
    if not cloud.enabled or not up:
        why = ("offline", "离线") if cloud.enabled else _NO_CLOUD
        for name in ("cloud_name", "cloud_tls", "cloud_certificate"):
            results.not_tested(name, *why)
        return
    reached = probe_network.reach(cloud)
    if reached.error not in ("", "plain") and box.sync_phase() == "ready":
        # The page's process is kept off the network; the sync process is not, and it is there.
        for name in ("cloud_name", "cloud_tls", "cloud_certificate"):
            results.not_tested(name, "the sync process is connected", "同步进程已连接")
        return
    said = Words(en=reached.error, zh=reached.error) if reached.error else None
    if reached.name_ms is None:
        results.measured("cloud_name", 99_999, note=said)
        results.not_tested("cloud_tls", "the name is not known", "域名无法解析")
        results.not_tested("cloud_certificate", "the name is not known", "域名无法解析")
        return
    results.measured("cloud_name", reached.name_ms)
    if reached.error == "plain":
        results.not_tested("cloud_tls", "this cloud is reached without encryption", "该云端连接未加密")
        results.not_tested("cloud_certificate", "this cloud is reached without encryption", "该云端连接未加密")
    elif reached.tls_ms is None or reached.certificate_days is None:
        results.measured("cloud_tls", 99_999, note=said)
        results.not_tested("cloud_certificate", reached.error, reached.error)
    else:
        results.measured("cloud_tls", reached.tls_ms)
        results.measured("cloud_certificate", reached.certificate_days)


def _measured(results: Results, name: str, value: float | None) -> None:
    if value is None:
        results.not_tested(name, *_CANNOT_TELL)
    else:
        results.measured(name, value)
