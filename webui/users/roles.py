"""The preset roles and what each may do."""

from __future__ import annotations

from collections.abc import Mapping

from webui.permissions import Permission

PRESETS: Mapping[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "supervisor": frozenset(
        {Permission.LIST, Permission.ANNOTATE, Permission.LISTEN, Permission.EXPORT, Permission.DELETE, Permission.DIAL}
    ),
    "agent": frozenset({Permission.LIST, Permission.ANNOTATE, Permission.LISTEN, Permission.DIAL}),
    "technician": frozenset({Permission.LIST, Permission.HARDWARE, Permission.SYSTEM}),
    "auditor": frozenset({Permission.LIST, Permission.LISTEN, Permission.AUDIT}),
}


def permissions_of(role: str) -> frozenset[Permission]:
    """What ``role`` may do; a role that is not known may do nothing."""
    return PRESETS.get(role, frozenset())
