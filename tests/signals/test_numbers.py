"""Numbers as the world reads them."""

import pytest

from firmware.signals.numbers import e164


@pytest.mark.parametrize(("number", "country", "written"), [
    ("13800138000", "CN", "+8613800138000"), ("02087654321", "GB", "+442087654321"),
    ("6095551212", "US", "+16095551212"), ("0033142685300", "DE", "+33142685300"),
    ("+4930123456", "US", "+4930123456"), ("01012345678", "CN", "+861012345678"),
    ("110", "CN", None), ("8001", "DE", None), ("*67#", "US", None), ("", "CN", None), (None, "CN", None),
    ("00000000000000000000", "CN", None), ("123", "XX", None),
])  # fmt: skip
def test_a_full_number_and_what_is_none(number, country, written):
    assert e164(number, country) == written
