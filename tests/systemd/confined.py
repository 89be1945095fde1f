"""Runs a command under the system call filter, the W^X rule and the file mask that a unit asks for.

``python confined.py UNIT COMMAND...``: what systemd would do for SystemCallFilter=, SystemCallErrorNumber=,
MemoryDenyWriteExecute=, UMask= and RestrictAddressFamilies=, by libseccomp and prctl(2), where no systemd runs.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

_ALLOW = 0x7FFF0000
_ERRNO_EPERM = 0x00050000 | 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_MDWE = 65


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def expand(name: str) -> set[str]:
    """The system calls of a group (``@system-service``) as systemd itself lists them."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    ).stdout
    words = {line.strip() for line in listed.splitlines()[1:]}
    return set().union(*(expand(word) for word in words if word and not word.startswith("#")))


def allowed(filters: list[str]) -> set[str]:
    """systemd.exec(5): the first line decides that it is an allow list, ``~`` lines take away, later ones add."""
    calls: set[str] = expand("@default")
    for line in filters:
        for word in line.lstrip("~").split():
            calls = calls - expand(word) if line.startswith("~") else calls | expand(word)
    return calls


def confine(unit: Path) -> None:
    settings = [line.partition("=")[::2] for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    calls = allowed([value for name, value in settings if name == "SystemCallFilter"])
    families = " ".join(value for name, value in settings if name == "RestrictAddressFamilies").split()
    os.umask(0o007)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_MDWE, 1, 0, 0, 0):
        raise SystemExit(f"this kernel cannot confine: {os.strerror(ctypes.get_errno())}")
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO_EPERM))
    for call in sorted(calls - {"socket"}):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(context, _ALLOW, number, 0)
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        equal = _Compare(0, 4, getattr(socket, family), 0)  # SCMP_CMP_EQ
        seccomp.seccomp_rule_add_array(context, _ALLOW, number, 1, ctypes.byref(equal))
    if seccomp.seccomp_load(context):
        raise SystemExit("the filter was not taken")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
