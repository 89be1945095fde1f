"""Every step of the field test: its name in both languages, its unit and its limits. Data, no decisions.

Levels are dBm0 (ITU-T G.711: a sine at digital full scale is +3.14 dBm0, so the RMS of s16 in dBFS plus 6.15).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fieldtest.verdicts import Limits

DBM0_OF_DBFS = 6.15
"""ITU-T G.100.1: 0 dBm0 is -6.15 dBov."""


class Group(StrEnum):
    BOX = "box"
    ANALOG = "analog"
    SIM = "sim"


@dataclass(frozen=True, slots=True)
class Step:
    """``limits`` None: the value is a fact that is right or wrong (1 or 0), or a word."""

    id: str
    en: str
    zh: str
    unit: str = ""
    limits: Limits | None = None

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


BOX = (
    Step("under_voltage", "Supply voltage stayed high enough", "供电电压未跌落"),
    Step("temperature", "Temperature of the processor", "处理器温度", "°C", Limits(low=-20, high=70, margin=10)),
    Step("storage_rate", "Storage writes", "存储写入速度", "MB/s", Limits(low=2.0, margin=1.0)),
    Step("storage_stall", "Longest wait for the storage", "存储最长等待", "ms", Limits(high=700, margin=1300)),
    Step("storage_free", "Storage free", "存储剩余空间", "%", Limits(low=9, margin=4)),
    Step("storage_wear", "Storage life used", "存储寿命已用", "%", Limits(high=70, margin=20)),
    Step("storage_errors", "Read and write errors of the storage", "存储读写错误", "", Limits(high=0)),
    Step("database", "Database is intact", "数据库完好"),
    Step(
        "clock",
        "Clock differs from network time by at most",
        "时钟与网络时间最大偏差",
        "s",
        Limits(high=1.0, margin=4.0),
    ),
    Step("network", "Network is connected", "网络已连接"),
    Step("cloud_name", "Name of the cloud is found", "云端域名可解析", "ms", Limits(high=1000, margin=3000)),
    Step("cloud_tls", "Encrypted connection to the cloud", "与云端的加密连接", "ms", Limits(high=3000, margin=5000)),
    Step(
        "cloud_certificate",
        "Certificate of the cloud is valid for",
        "云端证书剩余有效期",
        "d",
        Limits(low=14, margin=13),
    ),
)

_CALL = (
    Step("caller_id", "Caller's number is shown", "来电号码显示"),
    Step(
        "recording_starts",
        "Recording runs after the answer within",
        "接听后开始录音",
        "s",
        Limits(high=2.0, margin=1.0),
    ),
    Step("far_level", "Level of the far side", "对方音量", "dBm0", Limits(low=-36, high=-6, margin=5)),
    Step("near_level", "Level of the near side", "本方音量", "dBm0", Limits(low=-36, high=-4, margin=5)),
    Step("right_place", "Each side is heard where it belongs", "双方声音通道正确"),
    Step("hum", "Mains hum (50 or 60 Hz)", "工频嗡声（50 或 60 Hz）", "dBm0", Limits(high=-48, margin=6)),
    Step("noise", "Noise while nobody speaks", "无人说话时的噪声", "dBm0", Limits(high=-48, margin=6)),
    Step("clipping", "Sound at the stops", "声音削顶", "%", Limits(high=0.1, margin=0.4)),
    Step("hang_up", "Hang-up is seen within", "挂机检测", "s", Limits(high=2.0, margin=1.0)),
    Step("written", "Recording is written and sealed", "录音已写入并封存"),
    Step("duration", "Recording misses of the call at most", "录音缺少的时长", "s", Limits(high=1.0, margin=1.0)),
    Step("gaps", "Sound missing inside the recording", "录音中间缺失", "ms", Limits(high=0, margin=200)),
    Step("intact", "File is the one that was sealed", "文件与封存时一致"),
    Step("played_back", "Technician heard both sides", "技术员已听到双方声音"),
    Step("uploaded", "Uploaded, and verified by the cloud", "已上传并经云端核验"),
)

ANALOG = (
    Step("present", "Line is in sight", "线路已识别"),
    Step("battery", "Exchange feeds the line", "线路有馈电"),
    Step("wiring", "Ring and off-hook sensors are wired right", "振铃与摘机接线正确"),
    Step("ring_seen", "Ring is detected", "检测到振铃"),
    Step("ring_hz", "Ringing frequency", "振铃频率", "Hz", Limits(low=15, high=30, margin=35)),
    Step("ring_on", "Ring burst against the country's", "振铃时长与国标偏差", "%", Limits(high=25, margin=15)),
    Step("ring_period", "Ring period against the country's", "振铃周期与国标偏差", "%", Limits(high=15, margin=10)),
    Step("ring_bounce", "Ring detector bounces, per burst", "振铃检测抖动（每次）", "", Limits(high=2, margin=2)),
    Step("off_hook", "Off-hook is seen within", "摘机检测", "s", Limits(high=1.0, margin=1.0)),
    Step("dtmf", "Keys heard", "按键识别", "%", Limits(low=100)),
    *_CALL,
)

SIM = (
    Step("present", "Module is in sight", "模块已识别"),
    Step("card", "SIM card is ready", "SIM 卡就绪"),
    Step("registered", "Registered in the network", "已注册网络"),
    Step("signal", "Signal", "信号强度", "dBm", Limits(low=-93, margin=8)),
    Step("voice", "Network and card carry calls", "可进行语音通话"),
    Step("ring_seen", "Incoming call is detected", "检测到来电"),
    Step("answered", "Box answers within", "接听用时", "s", Limits(high=3.0, margin=3.0)),
    Step("minutes", "Minutes left in the plan", "套餐剩余分钟", "min", Limits(low=20, margin=15)),
    *_CALL,
)

STEPS: dict[Group, tuple[Step, ...]] = {Group.BOX: BOX, Group.ANALOG: ANALOG, Group.SIM: SIM}


def step(group: Group, name: str) -> Step:
    """The step called ``name``. Raises KeyError."""
    return next((one for one in STEPS[group] if one.id == name), None) or _missing(group, name)


def _missing(group: Group, name: str) -> Step:
    raise KeyError(f"there is no step {name!r} for {group.value}")
