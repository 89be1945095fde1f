"""The SIM card in a module, and its network beside calls: PIN, PUK, messages, codes, operator, time.

3GPP TS 27.007 (8.3 CPIN, 7.3 COPS, 7.1 CNUM, 7.15 CUSD, 8.15 CCLK, 8.71 CIREG), TS 27.005 (CMGS, CMGR, CMGL, CMGD);
tries after "SIM7500_SIM7600 Series AT Command Manual V3.00" (AT+SPIC).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_FREE = re.compile(
    r"AT[+^](?:SPIC|QPINC|QTRPIN|CPIN|CICCID|CCID|CMGF|CNMI|CTZU|CLTS|UIMHOTSWAPON|COPS=|CSCS)", re.IGNORECASE
)
"""Understood while the card is locked; everything else about the network is +CME ERROR: 11 then."""


@dataclass
class SimCard:
    """Compose it into a `SimModule` (``module.card = SimCard()``). `urc` is set by the module."""

    pin: str | None = None
    """None: the card wants none."""
    puk: str = "12345678"
    pin_tries: int = 3
    puk_tries: int = 10
    iccid: str = "89860012345678901234"
    number: str = "+8613800000001"
    operator: str = "CHINA MOBILE"
    circuit: int = 1
    """<stat> of +CREG."""
    packet: int = 1
    ims: bool = True
    clock: str = '"26/11/22,19:30:05+32"'
    inserted: bool = True
    lock: str = ""
    """``PH-NET PIN``: the module takes no card of this operator."""
    codes: dict[str, str] = field(default_factory=lambda: {"*100#": "Balance 12.30 CNY"})
    tells_tries_by: str = "AT+SPIC"
    """The module's own command for the tries left: ``AT+SPIC``, ``AT+QPINC``, ``AT+QTRPIN`` (M95) or ``AT^CPIN?``."""
    refuses_messages: bool = False
    sent: list[str] = field(default_factory=list)
    """PDUs the box sent."""
    urc: Callable[[list[str]], None] = lambda _lines: None
    unlocked: bool = False
    wants_text: bool = False
    _inbox: dict[int, tuple[str, bool]] = field(default_factory=dict)

    def _tries(self) -> str:
        """S76 24; Quectel EC2x AT manual 5.5, M95 AT manual 5.8; a Huawei E1550 said ``^CPIN: READY,,10,3,10,0``."""
        pin, puk = self.pin_tries, self.puk_tries
        return {
            "AT+SPIC": f"+SPIC: {pin},{puk},3,10",
            "AT+QPINC": f'+QPINC: "SC",{pin},{puk}',
            "AT+QTRPIN": f"+QTRPIN: {pin},3,{puk},10",
            "AT^CPIN?": f"^CPIN: {self.state},,{puk},{pin},10,3",
        }[self.tells_tries_by]

    def receive(self, pdu: str) -> None:
        """A message comes from the network."""
        index = max(self._inbox, default=0) + 1
        self._inbox[index] = (pdu, False)
        self.urc([f'+CMTI: "SM",{index}'])

    def pull(self) -> None:
        self.inserted, self.unlocked = False, False
        self.urc(["+CPIN: SIM REMOVED"])

    def power(self) -> None:
        """The module (re)starts: the card asks for its PIN again."""
        self.unlocked, self.wants_text = False, False

    @property
    def inbox(self) -> list[str]:
        return [pdu for pdu, _ in self._inbox.values()]

    @property
    def state(self) -> str:
        if self.lock:
            return self.lock
        if self.pin_tries <= 0:
            return "SIM PUK"
        return "READY" if self.pin is None or self.unlocked else "SIM PIN"

    def text(self, body: str) -> list[str]:
        """What follows the prompt of AT+CMGS."""
        self.wants_text = False
        if self.refuses_messages:
            return ["+CMS ERROR: 38"]
        self.sent.append(body)
        return [f"+CMGS: {len(self.sent)}", "OK"]

    def command(self, text: str) -> list[str] | None:  # noqa: PLR0911, PLR0912 - one return per command
        """The answer to one command line; None for what is not about the card. ``["> "]``: it waits for a text."""
        upper = text.upper()
        if upper.startswith("AT+CPIN"):
            return self._cpin(text[7:])
        if not self.inserted and re.match(r"AT\+(?:CCID|CICCID|CNUM|SPIC|CMG|CUSD)", upper):
            return ["+CME ERROR: 10"]
        if (
            self.state != "READY"
            and not _FREE.match(upper)
            and re.match(r"AT\+(?:C(?:LIP|LCC|MG|USD|NUM|OPS))|ATD", upper)
        ):
            return ["+CME ERROR: 12" if self.state == "SIM PUK" else "+CME ERROR: 11"]
        match upper.partition("=")[0]:
            case "AT+SPIC" | "AT+QPINC" | "AT+QTRPIN" | "AT^CPIN?" as asked:
                return [self._tries(), "OK"] if asked == self.tells_tries_by else ["ERROR"]
            case "AT+CICCID" | "AT+CCID":
                return [f"+ICCID: {self.iccid}", "OK"]
            case "AT+CREG?":
                return [f"+CREG: 2,{self.circuit}", "OK"]
            case "AT+CEREG?":
                return [f"+CEREG: 2,{self.packet}", "OK"]
            case "AT+COPS?":
                return [f'+COPS: 0,0,"{self.operator}",7', "OK"]
            case "AT+CNUM":
                return [f'+CNUM: ,"{self.number}",145', "OK"]
            case "AT+CIREG?":
                return [f"+CIREG: 0,{int(self.ims)},{5 if self.ims else 0}", "OK"]
            case "AT+CPSI?":
                return ["+CPSI: LTE,Online,460-00,0x1816,27593483,52,EUTRAN-BAND40,38950,5,5,-94,-850,-545,16", "OK"]
            case "AT+CCLK?":
                return [f"+CCLK: {self.clock}", "OK"]
            case "AT+CMGF" | "AT+CNMI" | "AT+CTZU" | "AT+CLTS" | "AT+UIMHOTSWAPON" | "AT+COPS":
                return ["OK"]
            case "AT+CMGS":
                self.wants_text = True
                return ["> "]
            case "AT+CMGL" | "AT+CMGR" | "AT+CMGD":
                return self._messages(upper)
            case "AT+CUSD":
                return self._ussd(text)
        return None

    def _cpin(self, rest: str) -> list[str]:  # noqa: PLR0911 - one return per state
        if not self.inserted:
            return ["+CME ERROR: 10"]
        if rest == "?":
            return [f"+CPIN: {self.state}", "OK"]
        given = re.findall(r'"?(\d+)"?', rest)
        if self.state == "SIM PUK":
            if len(given) == 2 and given[0] == self.puk:
                self.pin, self.pin_tries, self.puk_tries, self.unlocked = given[1], 3, 10, True
                return ["OK", "+CPIN: READY"]
            self.puk_tries -= 1
            return ["+CME ERROR: 16"]
        if self.state != "SIM PIN" or not given:
            return ["+CME ERROR: 3"]
        if given[0] == self.pin:
            self.unlocked, self.pin_tries = True, 3
            return ["OK", "+CPIN: READY"]
        self.pin_tries -= 1
        return ["+CME ERROR: 16"]

    def _messages(self, upper: str) -> list[str]:
        name, _, value = upper.partition("=")
        if name == "AT+CMGD":
            first, _, flag = value.partition(",")
            if flag == "1":
                self._inbox = {n: kept for n, kept in self._inbox.items() if not kept[1]}
            else:
                self._inbox.pop(int(first), None)
            return ["OK"]
        wanted = list(self._inbox) if name == "AT+CMGL" else [int(value)]
        lines = []
        for index in wanted:
            if index in self._inbox:
                pdu, _ = self._inbox[index]
                self._inbox[index] = (pdu, True)
                length = len(pdu) // 2 - 1 - int(pdu[:2], 16)
                lines += [f"+CMGL: {index},0,,{length}" if name == "AT+CMGL" else f"+CMGR: 0,,{length}", pdu]
        return [*lines, "OK"]

    def _ussd(self, text: str) -> list[str]:
        found = re.fullmatch(r'AT\+CUSD=1,"([^"]+)"(?:,\d+)?', text)
        if found is None:
            return ["OK"]
        answer = self.codes.get(found[1])
        return ["OK", f'+CUSD: 0,"{answer}",15' if answer is not None else "+CUSD: 4"]
