"""The one tree of errors a person may see: each message names the object, what was tried, and what to do."""

from __future__ import annotations


class OffhookError(Exception):
    """Root of every error that Offhook raises on purpose."""


class ConfigError(OffhookError):
    """The settings are wrong; ``faults`` lists all of them, each with a suggestion where there is one."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class ConflictError(OffhookError):
    """Somebody else changed the same thing first."""


class DeviceError(OffhookError):
    """A device is missing, busy, gone, or does not do what its description says."""


class AudioDeviceError(DeviceError):
    """A sound device is missing, gone, or delivers another format than asked for."""


class StoreError(OffhookError):
    """The database refuses: wrong schema version, damaged, or locked by another process."""


class AlreadyRunningError(OffhookError):
    """A second instance was started on the same data folder."""


class RequestError(OffhookError):
    """A request over the socket was refused; ``code`` is for machines."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)
