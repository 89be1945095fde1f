"""What each named fault of the ledger means, for people."""

from __future__ import annotations

from firmware.effects import Fault

FAULTS: dict[Fault, dict[str, str]] = {
    Fault.REVERSAL_WITHOUT_CALL: {
        "en": "The line changed polarity without a call",
        "zh": "没有通话时线路极性反转",
    },
    Fault.CALLER_ID_WITHOUT_RING: {
        "en": "A caller ID came, but the line never rang",
        "zh": "收到来电显示，但线路没有振铃",
    },
    Fault.ON_HOOK_WITHOUT_OFF_HOOK: {
        "en": "A handset was put back that was never seen lifted",
        "zh": "听筒挂回，但未曾检测到摘机",
    },
    Fault.RING_WHILE_OFF_HOOK: {
        "en": "The line rang while a handset was lifted",
        "zh": "摘机状态下出现振铃",
    },
    Fault.END_WITHOUT_CALL: {
        "en": "The network ended a call that was never seen",
        "zh": "网络结束了一个未曾出现的通话",
    },
    Fault.UNEXPECTED_EVENT: {
        "en": "Something happened that was not possible in this state of the line",
        "zh": "发生了线路当前状态下不应出现的事件",
    },
    Fault.WAITING_CALL_NOT_TAKEN: {
        "en": "A second caller knocked during a call and was not taken",
        "zh": "通话中有第二个来电等待，未接听",
    },
    Fault.DEVICE_LOST: {
        "en": "The device of the line was lost",
        "zh": "线路设备失去连接",
    },
    Fault.RECORDER_WAS_DOWN: {
        "en": "Nobody watched the line: the recorder was not running",
        "zh": "线路无人监视：录音程序未运行",
    },
}


def fault_text(fault: str) -> dict[str, str]:
    """``{"en", "zh"}`` for a fault as stored; a name this version does not know stands for itself."""
    try:
        return FAULTS[Fault(fault)]
    except ValueError:
        return {"en": fault, "zh": fault}
