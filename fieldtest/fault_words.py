"""What each fault is called, what to do about it, and which failed steps it explains; and what to do about a step."""

from __future__ import annotations

from fieldtest.results import Words

_CALL_STEPS = (
    "caller_id",
    "recording_starts",
    "far_level",
    "near_level",
    "right_place",
    "hum",
    "noise",
    "clipping",
    "hang_up",
    "written",
    "duration",
    "gaps",
    "intact",
    "played_back",
    "uploaded",
)

FAULTS: dict[str, tuple[Words, Words, tuple[str, ...]]] = {
    "wrong_wiring": (
        Words(
            en="Wrong wiring: the ring and off-hook sensors are exchanged, or not connected.",
            zh="接线错误：振铃与摘机传感器接反或未连接。",
        ),
        Words(
            en="Exchange the two pins (wiring or hat profile), then run offhook lines calibrate.",
            zh="对调两个引脚（接线或线路板配置），然后运行 offhook lines calibrate。",
        ),
        ("wiring", "ring_seen", "ring_hz", "ring_on", "ring_period", "ring_bounce", "off_hook", "dtmf", *_CALL_STEPS),
    ),
    "swapped_channels": (
        Words(en="Swapped channels: what is said is heard in the wrong place.", zh="声道接反：声音出现在错误的位置。"),
        Words(
            en="Exchange the two sound plugs, or the lines' audio devices in the settings.",
            zh="对调两个音频插头，或在设置中对调线路的音频设备。",
        ),
        ("right_place", "far_level", "near_level", "played_back", "dtmf", "noise", "hum", "caller_id"),
    ),
    "dead_microphone": (
        Words(
            en="Dead microphone path: the far side is heard, the near side is not.",
            zh="麦克风通路不通：能听到对方，听不到本方。",
        ),
        Words(
            en="Check the microphone's plug and the capture device and its level (alsamixer).",
            zh="检查麦克风插头、录音设备及其音量（alsamixer）。",
        ),
        ("near_level", "played_back", "right_place"),
    ),
    "dead_sound_path": (
        Words(en="Dead sound path: neither side is heard.", zh="声音通路不通：双方均听不到。"),
        Words(
            en="Check the tap, its cable, and which sound device the line uses.",
            zh="检查取音器、线缆以及线路使用的声音设备。",
        ),
        ("far_level", "near_level", "played_back", "right_place", "dtmf", "caller_id"),
    ),
    "dead_far_path": (
        Words(en="The far side is not heard.", zh="听不到对方声音。"),
        Words(
            en="Check the module's sound port (or the tap), and that the caller spoke.",
            zh="检查模块的声音端口（或取音器），并确认对方讲了话。",
        ),
        ("far_level", "played_back", "right_place"),
    ),
    "hum": (
        Words(en="Mains hum: 50 or 60 Hz stands on the line.", zh="工频干扰：线路上有 50 或 60 Hz 嗡声。"),
        Words(
            en="Look for a ground loop: use an isolated tap or power supply, keep the cable away from mains.",
            zh="检查接地环路：使用隔离取音器或隔离电源，并使线缆远离电源线。",
        ),
        ("hum",),
    ),
    "ring_bounces": (
        Words(en="The ring detector bounces.", zh="振铃检测器抖动。"),
        Words(
            en="Tighten the connection; run offhook lines calibrate for fitting debounce times.",
            zh="拧紧接线；运行 offhook lines calibrate 以得到合适的去抖时间。",
        ),
        ("ring_bounce", "ring_hz", "ring_on"),
    ),
    "weak_signal": (
        Words(en="Weak SIM signal.", zh="SIM 信号弱。"),
        Words(
            en="Move the antenna to a window or use one with a longer cable; try another operator.",
            zh="将天线移到窗边或使用更长的天线；尝试其他运营商。",
        ),
        ("signal",),
    ),
    "slow_card": (
        Words(en="Slow card: the storage does not keep up.", zh="存储卡过慢：写入跟不上。"),
        Words(
            en="Replace the card by one for endurance recording (A1 or better), or use an SSD.",
            zh="更换为高耐久存储卡（A1 或更好），或使用固态硬盘。",
        ),
        ("storage_rate", "storage_stall"),
    ),
}

TODO_ANY = Words(
    en="Repeat the step; if it fails again, see docs/field-test.md.",
    zh="重复该步骤；若仍不合格，请查阅 docs/field-test.zh.md。",
)
TODO: dict[str, Words] = {
    "under_voltage": Words(
        en="Use the official power supply and a short, thick cable.", zh="使用官方电源和短而粗的线缆。"
    ),
    "temperature": Words(en="Give the box air, or a fan; keep it out of the sun.", zh="改善通风或加装风扇，避免日晒。"),
    "storage_free": Words(
        en="Use a larger card, or keep recordings for a shorter time.", zh="更换更大的存储卡，或缩短保存时间。"
    ),
    "storage_wear": Words(en="Replace the card before it wears out.", zh="在存储卡耗尽寿命前更换。"),
    "storage_errors": Words(en="Replace the card now.", zh="立即更换存储卡。"),
    "database": Words(en="Run offhook doctor --repair.", zh="运行 offhook doctor --repair。"),
    "clock": Words(
        en="Check that the network lets NTP through, or fit a clock battery.", zh="确认网络放行 NTP，或加装时钟电池。"
    ),
    "network": Words(
        en="Check cable or Wi-Fi; calls are recorded all the same.", zh="检查网线或 Wi-Fi；录音不受影响。"
    ),
    "cloud_name": Words(
        en="Check the cloud's name in the settings, and the network's DNS.", zh="检查设置中的云端域名及网络 DNS。"
    ),
    "cloud_tls": Words(
        en="Ask whether the network's firewall lets port 8883 through.", zh="确认防火墙放行 8883 端口。"
    ),
    "cloud_certificate": Words(en="Tell the cloud's operator to renew the certificate.", zh="请云端运营者更新证书。"),
    "battery": Words(
        en="The line is cut, or not ordered: try it with a telephone.", zh="线路断开或未开通：用电话机试一下。"
    ),
    "present": Words(en="Check the plug and the line's settings.", zh="检查插头及线路设置。"),
    "ring_seen": Words(
        en="Does a telephone ring on this socket? Check cable and pin numbers.",
        zh="该插座接电话机会响吗？检查线缆与引脚号。",
    ),
    "ring_on": Words(
        en="Is the box's country right? See offhook countries.", zh="设备的国家设置是否正确？见 offhook countries。"
    ),
    "ring_period": Words(
        en="Is the box's country right? See offhook countries.", zh="设备的国家设置是否正确？见 offhook countries。"
    ),
    "caller_id": Words(en="Is caller ID ordered, and the country right?", zh="是否开通来电显示？国家设置是否正确？"),
    "far_level": Words(en="Set the capture level (alsamixer), then repeat.", zh="调整录音音量（alsamixer）后重复。"),
    "near_level": Words(en="Set the capture level (alsamixer), then repeat.", zh="调整录音音量（alsamixer）后重复。"),
    "noise": Words(en="Look for a bad contact or a damaged cable.", zh="检查接触不良或线缆损坏。"),
    "clipping": Words(en="Turn the capture level down.", zh="调低录音音量。"),
    "card": Words(
        en="Put the card in, or give its PIN: offhook sim pin.", zh="插入 SIM 卡，或输入 PIN：offhook sim pin。"
    ),
    "registered": Words(en="Check antenna, card and contract.", zh="检查天线、SIM 卡与合约。"),
    "voice": Words(
        en="Ask the operator for VoLTE on this card, or use one with 2G/3G voice.",
        zh="请运营商为此卡开通 VoLTE，或换用支持 2G/3G 语音的卡。",
    ),
    "minutes": Words(en="Add minutes to the plan.", zh="为套餐增加分钟数。"),
    "uploaded": Words(en="See offhook sync status.", zh="见 offhook sync status。"),
}
