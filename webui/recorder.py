"""How a page asks the recorder: one request, and a sentence for the person when it cannot be done."""

from __future__ import annotations

import logging
from typing import Any

from flask import abort

from firmware.errors import RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from webui.services import services
from webui.translate import _

log = logging.getLogger("offhook.web.recorder")


def ask(cmd: str, **args: Any) -> dict[str, Any]:
    """The recorder's answer to ``cmd``.

    Ends the request with 503 when the recorder does not answer and 409 when it refuses. A page that wants to show
    refusals itself (faults of a settings document) uses `firmware.ipc.client.RecorderClient`.
    """
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            return recorder.request(cmd, **args)
    except RecorderUnreachableError:
        abort(503, description=_("The recorder does not answer. Try again in a few seconds."))
    except RequestError as error:
        log.warning("the recorder refused", extra={"offhook": {"cmd": cmd, "code": error.code}})
        abort(409, description=_("The recorder refused: %(reason)s", reason=str(error)))
