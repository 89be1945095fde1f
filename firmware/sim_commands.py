"""The socket's ``sim.*`` commands. The list stands in docs/interfaces.md."""

from __future__ import annotations

from firmware.ipc.dispatcher import Dispatcher
from firmware.sim_desk import SimDesk


def add_sim_commands(dispatcher: Dispatcher, desk: SimDesk | None) -> None:
    """``desk`` is only asked when a command comes."""

    def the_desk() -> SimDesk:
        assert desk is not None
        return desk

    line = {"line": str}
    dispatcher.add("sim.status", lambda: the_desk().status())
    dispatcher.add("sim.pin", lambda line, pin: the_desk().set_pin(line, pin), {**line, "pin": str})
    dispatcher.add("sim.pin.forget", lambda line: the_desk().forget_pin(line), line)
    dispatcher.add(
        "sim.unblock", lambda line, puk, pin: the_desk().unblock(line, puk, pin), {**line, "puk": str, "pin": str}
    )
    dispatcher.add("sim.ussd", lambda line, code: the_desk().ussd(line, code), {**line, "code": str})
    dispatcher.add(
        "sim.sms.send",
        lambda line, number, text: the_desk().send_message(line, number, text),
        {**line, "number": str, "text": str},
    )
    dispatcher.add(
        "sim.sms.list",
        lambda line=None, limit=100: the_desk().messages(line, limit),
        {},
        {"line": str, "limit": int},
    )
    dispatcher.add("sim.minutes", lambda line: {"minutes": the_desk().minutes(line)}, line)
