"""Certificates: issued in both languages, accepted as they are, and refused after any change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fieldtest import signed
from fieldtest.access import Access
from fieldtest.catalogue import Group
from fieldtest.findings import findings
from fieldtest.issue import issue
from fieldtest.results import Results
from fieldtest.run import GroupRun, Run, RunError, RunStore
from fieldtest.signed import VerifyError
from firmware import certificates
from firmware.errors import RequestError
from firmware.identity import Identity, load_or_create

BEGUN_MS = 1_796_000_000_000


class _Box(Access):
    """A box of which only the key is there."""

    identity: Identity

    def request(self, cmd: str, **arguments: Any) -> dict[str, Any]:
        match cmd:
            case "fieldtest.sign":
                return certificates.sign(self.identity, arguments["document"])
            case "identity.public":
                return certificates.about(self.identity)
            case "config.get":
                return {"version": 1, "document": '[box]\ntime_zone = "Asia/Shanghai"\n'}
        raise AssertionError(cmd)


@pytest.fixture
def box(tmp_path: Path) -> _Box:
    made = _Box(tmp_path, tmp_path / "run")
    object.__setattr__(made, "identity", load_or_create(tmp_path / "identity"))
    return made


def a_run(box: _Box, **fields: Any) -> Run:
    """The box was not tested; of the line, the hum failed."""
    results = Results(Group.ANALOG)
    results.measured("hum", -30.0)
    results.measured("ring_hz", 25.0)
    results.rest_not_tested("the line is in use", "线路正在使用")
    found = {one.step: one for one in results.all()}
    group = GroupRun(
        subject="fxo-1",
        group=Group.ANALOG,
        label="前台",
        results=results.all(),
        findings=tuple(findings(Group.ANALOG, "fxo-1", found)),
    )
    basic: dict[str, Any] = {
        "id": "ft-20261130T010203Z",
        "state": "finished",
        "begun_utc_ms": BEGUN_MS,
        "ended_utc_ms": BEGUN_MS + 60_000,
        "device_id": box.identity.device_id,
        "version": "0.1.0",
        "place": "Front office",
        "subjects": ("fxo-1",),
        "technician": "李伟",
        "serials": {"board": "100000001234"},
        "groups": (group,),
    }
    run = Run(**(basic | fields))
    RunStore(box.data).keep(run)
    return run


def issued(box: _Box, folder: Path, **options: Any) -> dict[str, Path]:
    paths = issue(box, a_run(box), folder=folder, **options)
    return {path.name.partition(".")[2]: path for path in paths}


def test_json_and_both_pdfs_are_accepted(box: _Box, tmp_path: Path) -> None:
    files = issued(box, tmp_path / "out")
    assert set(files) == {"json", "en.pdf", "zh.pdf"}
    verified = signed.verify_json(files["json"].read_bytes())
    assert verified.device_id == box.identity.device_id
    assert verified.document["technician"] == "李伟"
    assert verified.document["groups"][0]["findings"][0]["fault"] == "hum"
    for language in ("en", "zh"):
        assert signed.verify_pdf(files[f"{language}.pdf"].read_bytes()).fingerprint == verified.fingerprint


@pytest.mark.parametrize(("old", "new"), [(b'"failed"', b'"passed"'), (b"-30.0", b"-60.0")])
def test_a_changed_value_is_refused(box: _Box, tmp_path: Path, old: bytes, new: bytes) -> None:
    content = issued(box, tmp_path / "out")["json"].read_bytes()
    assert old in content
    with pytest.raises(VerifyError, match="changed"):
        signed.verify_json(content.replace(old, new, 1))


def test_a_changed_byte_of_a_pdf_is_refused(box: _Box, tmp_path: Path) -> None:
    content = bytearray(issued(box, tmp_path / "out")["en.pdf"].read_bytes())
    content[len(content) // 2] ^= 1
    with pytest.raises(VerifyError, match="changed"):
        signed.verify_pdf(bytes(content))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"certificate": 1}', b"\xff\xfe", b'{"certificate": {"type": "x"}}']
)
def test_what_is_no_certificate_is_refused_with_words(content: bytes) -> None:
    with pytest.raises(VerifyError):
        signed.verify_json(content)


def test_a_pdf_without_a_signature_is_refused() -> None:
    with pytest.raises(VerifyError, match="no signature"):
        signed.verify_pdf(b"%PDF-1.4\n%%EOF\n")


def test_another_box_cannot_sign_in_this_ones_name(box: _Box, tmp_path: Path) -> None:
    content = json.loads(issued(box, tmp_path / "out")["json"].read_bytes())
    other = load_or_create(tmp_path / "other")
    forged = certificates.sign(other, signed.canonical(content["certificate"]))
    with pytest.raises(VerifyError, match="not those"):
        signed.verify_json(json.dumps({"certificate": content["certificate"], **forged}).encode())


def test_the_key_signs_certificates_only(box: _Box) -> None:
    for document in ("", "[]", '{"type": "transfer"}', "{", '{"type": "offhook-fieldtest"}' + " " * 600_000):
        with pytest.raises(RequestError):
            certificates.sign(box.identity, document)


def test_an_unfinished_run_gets_none(box: _Box, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--resume"):
        list(issue(box, a_run(box, state="open"), folder=tmp_path / "out"))


def test_a_photo_is_made_small_and_says_nothing_of_its_place(box: _Box, tmp_path: Path) -> None:
    picture = Image.effect_noise((3000, 2000), 50).convert("RGB")
    exif = Image.Exif()
    exif[0x010F] = "Secret Phone"
    picture.save(tmp_path / "rack.jpg", exif=exif)
    files = issued(box, tmp_path / "out", photo=tmp_path / "rack.jpg")
    assert signed.verify_json(files["json"].read_bytes()).document["photo_sha256"]
    kept = (box.data / "fieldtest" / "ft-20261130T010203Z" / "photo.jpg").read_bytes()
    assert b"Secret Phone" not in kept
    assert len(kept) < 2_000_000


def test_what_is_no_picture_is_refused(box: _Box, tmp_path: Path) -> None:
    (tmp_path / "rack.jpg").write_text("not a picture")
    with pytest.raises(RunError, match="no picture"):
        list(issue(box, a_run(box), folder=tmp_path / "out", photo=tmp_path / "rack.jpg"))
