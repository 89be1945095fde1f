"""The preset roles and what each may do."""

from __future__ import annotations

import json
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


OWN_LINES = frozenset({"agent"})
"""Presets that see the calls of the lines assigned to them or their department, and no others."""


def permissions_of(role: str) -> frozenset[Permission]:
    """What ``role`` may do; a role that is not known may do nothing."""
    return PRESETS.get(role, frozenset())


def known_permissions(stored: str) -> frozenset[Permission]:
    """Permissions of a role that an admin made, as stored (JSON); what a later version took away is not given."""
    known = {permission.value: permission for permission in Permission}
    return frozenset(known[name] for name in json.loads(stored) if name in known)
