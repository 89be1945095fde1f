"""Issues the certificate of a run: signed JSON and one signed PDF for each language, kept with the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import evolve

from fieldtest import photo as pictures
from fieldtest import signed
from fieldtest.access import Access
from fieldtest.certificate_pdf import render
from fieldtest.run import Run, RunError, RunStore, run_json, write_durably
from firmware.config_sync import sync_part

LANGUAGES = ("en", "zh")


def issue(box: Access, run: Run, *, folder: Path, photo: Path | None = None, address: str = "") -> Iterator[Path]:
    """The files written to ``folder``; the run's own folder keeps them too.

    Raises `RunError` for a run that still goes on, `RecorderUnreachableError` when there is nobody to sign, OSError.
    """
    if run.state == "open":
        raise RunError(f"{run.id} is not over: offhook fieldtest --resume")
    store = RunStore(box.data)
    kept = store.folder(run.id)
    picture = kept / "photo.jpg"
    if photo is not None:
        content = pictures.prepared(photo)
        write_durably(picture, content)
        run = evolve(run, photo_sha256=hashlib.sha256(content).hexdigest())
        store.keep(run)
    document = {"type": signed.JSON_TYPE, "version": 1, **run_json(run)}
    files = {f"{run.id}.json": signed.json_file(document, _sign(box, document))}
    about = box.request("identity.public")
    for language in LANGUAGES:
        pdf = render(
            run,
            language=language,
            zone=sync_part(box.settings_document()).time_zone,
            link=f"{address.rstrip('/') or 'https://offhook.local'}/fieldtest/{run.id}",
            fingerprint=signed.fingerprint(about["public_key"]),
            photo=picture.read_bytes() if run.photo_sha256 is not None and picture.exists() else None,
        )
        of_pdf = signed.pdf_document(pdf, run.id, run.device_id)
        files[f"{run.id}.{language}.pdf"] = signed.pdf_file(pdf, of_pdf, _sign(box, of_pdf))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_durably(kept / name, content)
        if folder.resolve() != kept.resolve():
            write_durably(folder / name, content)
        yield folder / name


def _sign(box: Access, document: dict[str, Any]) -> dict[str, Any]:
    return box.request("fieldtest.sign", document=signed.canonical(document))
