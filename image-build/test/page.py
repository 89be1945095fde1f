"""The box's page as a browser uses it: cookies, forms, an upload. curl does the sending, since an update is large."""

from __future__ import annotations

import re
import secrets
import subprocess
from pathlib import Path

from emulator import FACTOR, Machine, MachineError, need

HOST = "offhook.local"


class Page:
    """One visitor."""

    def __init__(self, box: Machine, folder: Path) -> None:
        need("curl")
        self._box = box
        self._cookies = folder / f"cookies-{secrets.token_hex(4)}"

    def get(self, path: str) -> str:
        """The text of the page, after redirects."""
        return self._curl(path, "--location")[1]

    def post(
        self, path: str, *, form_on: str, deadline_s: float = 180.0, file: Path | None = None, **fields: str
    ) -> int:
        """Sends the form that stands on ``form_on``; the status."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(form_on))
        if found is None:
            raise MachineError(f"{form_on} has no form")
        sent = []
        for name, value in {"csrf_token": found[1], **fields}.items():
            sent += ["--form-string", f"{name}={value}"]
        if file is not None:
            sent += ["--form", f"file=@{file}"]
        return self._curl(path, *sent, deadline_s=deadline_s)[0]

    def _curl(self, path: str, *options: str, deadline_s: float = 180.0) -> tuple[int, str]:
        port = self._box.https
        command = [
            "curl",
            "-sk",
            "--resolve",
            f"{HOST}:{port}:127.0.0.1",
            "-b",
            str(self._cookies),
            "-c",
            str(self._cookies),
        ]
        command += ["--max-time", str(deadline_s * FACTOR), "-H", "Expect:", "-w", "\n%{http_code}", *options]
        done = subprocess.run([*command, f"https://{HOST}:{port}{path}"], capture_output=True, check=False)
        if done.returncode != 0:
            raise MachineError(f"{path}: curl ended with {done.returncode}")
        text, _, status = done.stdout.decode(errors="replace").rpartition("\n")
        return int(status), text
