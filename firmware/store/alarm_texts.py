"""The one registry of everything the box may have to say to its admin: how grave, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class AlarmText:
    """``{subject}`` and the alarm's own params may stand in every text."""

    severity: Severity
    en: str
    zh: str
    todo_en: str
    todo_zh: str


_I, _W, _C = Severity.INFO, Severity.WARNING, Severity.CRITICAL

ALARMS: dict[str, AlarmText] = {
    # The way to the cloud
    "sync_unreachable": AlarmText(
        _W,
        "The cloud has not answered for long: {detail}",
        "云端长时间没有响应：{detail}",
        "Check the internet connection, and in the settings the address and the credentials. Calls are recorded "
        "and kept; they are sent when the cloud is back.",
        "请检查网络连接，以及设置中的地址和凭据。通话照常录音并保存，云端恢复后会自动发送。",
    ),
    "sync_not_allowed": AlarmText(
        _W,
        "The cloud does not accept this box: {detail}",
        "云端拒绝此设备：{detail}",
        "Check user, password or certificate in the settings, and in the cloud what this box may do.",
        "请检查设置中的用户、密码或证书，以及云端为此设备设定的权限。",
    ),
    "sync_same_identity": AlarmText(
        _C,
        "Another device seems to use the identity {subject} in the cloud: {detail}",
        "似乎有另一台设备在云端使用了相同的身份 {subject}：{detail}",
        "Were two boxes made from one memory card, or do they share a certificate? Give one an identity of its own. "
        "If there is only one, the broker is failing.",
        "是否有两台设备由同一张存储卡复制而来，或共用一个证书？请为其中一台配置独立的身份。若只有一台，则是云端服务器故障。",
    ),
    "sync_certificate": AlarmText(
        _W,
        "The certificate for the cloud ends soon: {detail}",
        "连接云端的证书即将到期：{detail}",
        "Get a new certificate from whoever runs the cloud and put it in the place that the settings name.",
        "请向云端管理方申请新证书，并放到设置中指定的位置。",
    ),
    "sync_refused": AlarmText(
        _W,
        "The cloud refuses something for good ({subject}): {detail}",
        "云端永久拒绝了一项内容（{subject}）：{detail}",
        "It stays on this box. Tell support; what was refused is listed by `offhook sync status`.",
        "该内容仍保存在本机。请联系技术支持；`offhook sync status` 可列出被拒绝的内容。",
    ),
    "sync_file_lost": AlarmText(
        _C,
        "A recording cannot be sent: {detail}",
        "一段录音无法发送：{detail}",
        "Its file is missing or damaged on this box. Run `offhook doctor`; a failing memory card is the usual cause.",
        "本机上的文件已丢失或损坏。请运行 `offhook doctor`；常见原因是存储卡损坏。",
    ),
    "sync_cloud_full": AlarmText(
        _W,
        "The cloud takes no recordings now: {detail}",
        "云端暂时不接收录音：{detail}",
        "Make room in the cloud. Recordings are kept here and sent when there is room.",
        "请在云端腾出空间。录音保存在本机，有空间后会自动发送。",
    ),
    "sync_webhook": AlarmText(
        _W,
        "A webhook does not get through ({subject}): {detail}",
        "Webhook 无法送达（{subject}）：{detail}",
        "Check the address in the settings and the program behind it; what failed can be sent again from the "
        "delivery log.",
        "请检查设置中的地址及其后端程序；失败的消息可在投递记录中重新发送。",
    ),
    # Lines and sound
    "line_down": AlarmText(
        _C,
        "Line {subject} is out of sight: {reason}",
        "线路 {subject} 已失去连接：{reason}",
        "Check that the device is plugged in and powered. Calls on this line are not recorded until it is back.",
        "请检查设备是否插好并已通电。恢复之前，此线路的通话不会被录音。",
    ),
    "line_flapping": AlarmText(
        _W,
        "Line {subject} keeps coming and going",
        "线路 {subject} 反复断开又恢复",
        "Check the cable and the power supply of the device; a weak USB supply is the usual cause.",
        "请检查设备的线缆和供电；USB 供电不足是最常见的原因。",
    ),
    "hook_by_sound": AlarmText(
        _W,
        "Line {subject} is followed by its sound only: {reason}",
        "线路 {subject} 目前仅靠声音判断摘挂机：{reason}",
        "Check the line board and its wiring. Until then calls are found, but their moments are estimates.",
        "请检查线路板及其接线。在此之前仍能检测到通话，但时间为估计值。",
    ),
    "sound_lost": AlarmText(
        _C,
        "No sound from line {subject}: {reason}",
        "线路 {subject} 没有声音：{reason}",
        "Check the sound device of the line. Its calls are listed, but without sound.",
        "请检查该线路的声音设备。通话仍会列出，但没有录音。",
    ),
    "sound_silent": AlarmText(
        _W,
        "Line {subject} delivers only silence during a call",
        "线路 {subject} 在通话中只有静音",
        "Make a test call. If it stays silent, check the audio cable and the settings of the line.",
        "请拨打测试电话。如果仍然无声，请检查音频线和线路设置。",
    ),
    "sound_format": AlarmText(
        _C,
        "The sound device of line {subject} delivers another format than expected: {reason}",
        "线路 {subject} 的声音设备格式与预期不符：{reason}",
        "Correct the device or its sample rate in the settings of the line.",
        "请在线路设置中更正设备或采样率。",
    ),
    "sound_gaps": AlarmText(
        _W,
        "Sound is missing from a recording on line {subject}: {reason}",
        "线路 {subject} 的录音有缺失：{reason}",
        "The box may be overloaded or its card too slow. Look at the gaps in the call list.",
        "设备可能负载过高或存储卡太慢。请在通话列表中查看缺失的位置。",
    ),
    "one_way_audio": AlarmText(
        _W,
        "Only one side is heard in a recording of line {subject}",
        "线路 {subject} 的录音只有一方的声音",
        "Make a test call and listen to both sides; check the audio cable of the side that is missing.",
        "请拨打测试电话并听双方声音；检查缺失一方的音频线。",
    ),
    "recording_failed": AlarmText(
        _C,
        "A call on line {subject} cannot be recorded: {reason}",
        "线路 {subject} 的一次通话无法录音：{reason}",
        "Check the sound device and the free space. The call itself is in the list.",
        "请检查声音设备和剩余空间。通话本身已在列表中。",
    ),
    "seal_failed": AlarmText(
        _W,
        "Recording {subject} could not be finished: {reason}",
        "录音 {subject} 未能完成封存：{reason}",
        "Its sound is safe in the spool folder and is tried again. If this stays, run: offhook doctor",
        "声音已安全保存在 spool 目录中，系统会重试。如果一直存在，请运行：offhook doctor",
    ),
    "recorder_was_down": AlarmText(
        _W,
        "Nobody watched line {subject} for {seconds} s",
        "线路 {subject} 有 {seconds} 秒无人监视",
        "The recorder was restarted or the power was cut. Calls in that time may be missing.",
        "录音程序曾重启或断电。这段时间内的通话可能缺失。",
    ),
    "waiting_call": AlarmText(
        _I,
        "A second caller knocked on line {subject} and was not taken",
        "线路 {subject} 有第二个来电等待，未接",
        "Nothing, if this is usual. It stands in the ledger.",
        "如属正常，无需处理。已记入台账。",
    ),
    "line_anomaly": AlarmText(
        _W,
        "Line {subject} did something unplanned: {kind} while {phase}",
        "线路 {subject} 出现意外情况：在 {phase} 时发生 {kind}",
        "Nothing is lost. If it repeats, send the ledger of that time to support.",
        "没有丢失任何内容。如反复出现，请将该时段的台账发给技术支持。",
    ),
    "line_misconfigured": AlarmText(
        _C,
        "Line {subject} cannot start: {reason}",
        "线路 {subject} 无法启动：{reason}",
        "Correct the line in the settings.",
        "请在设置中更正该线路。",
    ),
    "line_found": AlarmText(
        _I,
        "A new line was found and records: {subject}",
        "发现新线路并已开始录音：{subject}",
        "Give it a name in the settings.",
        "请在设置中为它命名。",
    ),
    "no_voice": AlarmText(
        _C,
        "{model} on line {subject} has no voice: exchange it for {instead}",
        "线路 {subject} 上的 {model} 不支持语音通话：请更换为 {instead}",
        "It can neither call nor be called. Put in a module with voice; the SIM card can stay.",
        "该模块既不能拨出也不能接听。请更换支持语音的模块；SIM 卡可继续使用。",
    ),
    "wrong_family": AlarmText(
        _W,
        "The settings call the module of line {subject} a {configured}, but it says that it is a {model} ({family})",
        "设置中线路 {subject} 的模块类型为 {configured}，但模块自报为 {model}（{family}）",
        "It is treated as what it says. Correct family in the settings of the line, or write auto.",
        "已按模块自报的类型处理。请在线路设置中更正 family，或填写 auto。",
    ),
    "cannot_ring": AlarmText(
        _C,
        "Line {subject} is registered for data only: nobody can call it",
        "线路 {subject} 仅注册了数据网络：无法接听来电",
        "The SIM or the operator gives this module no voice over {access}. Ask the operator to switch on VoLTE for it, "
        "or restrict the module to 2G and 3G where these exist.",
        "该 SIM 卡或运营商未为此模块开通 {access} 语音。请联系运营商开通 VoLTE，"
        "或在有 2G/3G 网络的地区将模块限制为 2G/3G。",
    ),
    "sim_not_ready": AlarmText(
        _C,
        "The SIM card of line {subject} is not ready: {reason}",
        "线路 {subject} 的 SIM 卡未就绪：{reason}",
        "Check the card, its PIN and the reception.",
        "请检查 SIM 卡、PIN 码和信号。",
    ),
    "sim_missing": AlarmText(
        _C,
        "There is no SIM card in the module of line {subject}",
        "线路 {subject} 的模块中没有 SIM 卡",
        "Put a SIM card in, contacts towards the module, until it clicks. The box notices by itself.",
        "请插入 SIM 卡（触点朝向模块）直至到位。设备会自动识别。",
    ),
    "sim_pin_needed": AlarmText(
        _C,
        "The SIM card of line {subject} wants its PIN ({pin_tries} tries left)",
        "线路 {subject} 的 SIM 卡需要 PIN 码（剩余 {pin_tries} 次）",
        "Enter it once: offhook sim pin {subject}. It is kept encrypted and never sent with fewer than 2 tries left.",
        "请输入一次：offhook sim pin {subject}。设备会加密保存，剩余次数少于 2 次时绝不发送。",
    ),
    "sim_pin_wrong": AlarmText(
        _C,
        "The PIN given for the SIM card of line {subject} is wrong ({pin_tries} tries left)",
        "为线路 {subject} 的 SIM 卡设置的 PIN 码不正确（剩余 {pin_tries} 次）",
        "It is not tried again. Look the PIN up in the papers of the card, then run: offhook sim pin {subject}",
        "系统不会再次尝试。请核对 SIM 卡资料中的 PIN 码，然后运行：offhook sim pin {subject}",
    ),
    "sim_pin_few_tries": AlarmText(
        _C,
        "The PIN of the SIM card of line {subject} is not sent: tries left: {pin_tries}",
        "未发送线路 {subject} 的 SIM 卡 PIN 码：剩余次数：{pin_tries}",
        "One more wrong try would block the card. Put it into a telephone and enter the right PIN there; "
        "that gives all three tries back.",
        "再错一次卡将被锁定。请将卡放入手机并输入正确的 PIN 码，即可恢复全部三次机会。",
    ),
    "sim_puk_needed": AlarmText(
        _C,
        "The SIM card of line {subject} is blocked: three wrong PINs were entered ({puk_tries} tries left for its PUK)",
        "线路 {subject} 的 SIM 卡已锁定：PIN 码输错三次（PUK 剩余 {puk_tries} 次）",
        "Ask the operator for the PUK, 8 digits, then run: offhook sim unblock {subject}. "
        "Ten wrong PUKs make the card useless.",
        "请向运营商索取 8 位 PUK 码，然后运行：offhook sim unblock {subject}。PUK 输错十次卡将永久失效。",
    ),
    "sim_operator_lock": AlarmText(
        _C,
        "The module of line {subject} is locked to another operator than that of its SIM card",
        "线路 {subject} 的模块被锁定，不接受此运营商的 SIM 卡",
        "Put in a SIM card of the operator who sold the module, or ask him for the code that unlocks it.",
        "请插入出售该模块的运营商的 SIM 卡，或向其索取解锁码。",
    ),
    "sim_broken": AlarmText(
        _C,
        "The SIM card of line {subject} does not work",
        "线路 {subject} 的 SIM 卡无法使用",
        "Take it out, clean its contacts and put it in again; try it in a telephone. Else the operator exchanges it.",
        "请取出卡片、清洁触点后重新插入，并在手机中测试；如仍无效请找运营商换卡。",
    ),
    "module_silent": AlarmText(
        _C,
        "The module of line {subject} does not answer, and all that helps was tried: {tried}",
        "线路 {subject} 的模块没有响应，已尝试所有恢复方法：{tried}",
        "Unplug it and plug it in again; check its power supply and its cable. The box goes on trying.",
        "请拔下并重新插入模块，检查供电和线缆。设备会继续尝试。",
    ),
    "module_brown_out": AlarmText(
        _W,
        "The module of line {subject} restarted by itself {count} times: its power supply is too weak",
        "线路 {subject} 的模块自行重启了 {count} 次：供电不足",
        "Modules take 2 A for moments. Use a powered USB hub or the module's own supply, and a short thick cable.",
        "模块瞬间电流可达 2 A。请使用带电源的 USB 集线器或模块自带电源，以及短而粗的线缆。",
    ),
    "module_boot_loop": AlarmText(
        _C,
        "The module of line {subject} restarts again and again ({count} times in {minutes} minutes)",
        "线路 {subject} 的模块不断重启（{minutes} 分钟内 {count} 次）",
        "Its power supply is too weak or its cable too thin: use a powered USB hub. If that is no help, exchange it.",
        "供电不足或线缆过细：请使用带电源的 USB 集线器。如仍无效，请更换模块。",
    ),
    "module_port_busy": AlarmText(
        _C,
        "Another program uses the port of line {subject}",
        "其他程序占用了线路 {subject} 的端口",
        "Stop that program; mostly it is ModemManager: sudo systemctl disable --now ModemManager",
        "请停止该程序；通常是 ModemManager：sudo systemctl disable --now ModemManager",
    ),
    "module_exchanged": AlarmText(
        _W,
        "Another module is plugged in at the place of line {subject}: {model}, IMEI {imei}; before it was {before}",
        "线路 {subject} 的插口换了模块：{model}，IMEI {imei}；原来是 {before}",
        "If you exchanged it, acknowledge this. If two modules changed places, put them back: each line is a place.",
        "如果是您更换的，请确认此提示。如果是两个模块互换了位置，请换回：线路与插口对应。",
    ),
    "usb_serial_shared": AlarmText(
        _W,
        "Two modules have the same USB serial number, and the settings of line {subject} name its port by it",
        "有两个模块的 USB 序列号相同，而线路 {subject} 的设置正是按序列号指定端口",
        "Name the port by its place instead: {instead}",
        "请改为按插口位置指定端口：{instead}",
    ),
    "module_sound_cured": AlarmText(
        _I,
        "The sound of the module of line {subject} got worse, so it was restarted between two calls",
        "线路 {subject} 的模块声音变差，已在两次通话之间将其重启",
        "Nothing, if it is rare. If it comes every day, look for newer firmware of the module.",
        "如果很少发生，无需处理。如果每天发生，请查找模块的新固件。",
    ),
    "minutes_low": AlarmText(
        _W,
        "{percent} % of the minutes of line {subject} are used; {left} are left until {until}",
        "线路 {subject} 的通话分钟数已用 {percent}%；到 {until} 还剩 {left} 分钟",
        "See: offhook sim minutes {subject}. Buy more, or call less; emergency numbers can always be called.",
        "请查看：offhook sim minutes {subject}。可加购或减少拨打；紧急号码始终可以拨打。",
    ),
    # Disk and retention
    "disk_full": AlarmText(
        _C,
        "The disk is full",
        "磁盘已满",
        "Free some space or put in a bigger card. Calls are still listed; new sound may be lost.",
        "请释放空间或更换更大的存储卡。通话仍会列出；新的录音可能丢失。",
    ),
    "retention_deleted": AlarmText(
        _I,
        "By the rules of storage the sound of {count} recordings was deleted (up to {until}); {min_free_percent} % of "
        "the disk is kept free",
        "按照存储规则已删除 {count} 条录音的声音（截至 {until}）；磁盘保持 {min_free_percent}% 空闲",
        "Nothing, if this is meant. Else put in a bigger card or export recordings sooner. The call list is complete.",
        "如符合预期，无需处理；否则请更换更大的存储卡或更早导出录音。通话列表仍然完整。",
    ),
    "retention_exhausted": AlarmText(
        _C,
        "Only {free_percent} % of the disk is free and nothing more can be deleted",
        "磁盘仅剩 {free_percent}% 空闲，已没有可删除的录音",
        "Remove other files from the disk or put in a bigger card, before recording stops.",
        "请在录音停止前删除磁盘上的其他文件或更换更大的存储卡。",
    ),
    "retention_asks": AlarmText(
        _W,
        "The rules would delete the sound of {count} recordings at once, {percent} % of what is kept (up to {until}). "
        "Nothing is deleted before somebody says yes",
        "按照规则将一次删除 {count} 条录音的声音，占现存录音的 {percent}%（截至 {until}）。在有人确认之前不会删除",
        "Open Settings, Storage: look at what would go, then say yes or no, or change the rules. Check the clock.",
        "请打开“设置”中的“存储”：查看将被删除的录音，然后选择是或否，或修改规则。同时请检查设备时钟。",
    ),
    "retention_unsynced": AlarmText(
        _C,
        "Only {free_percent} % of the disk is free, and {count} recordings that could go are not in the cloud yet",
        "磁盘仅剩 {free_percent}% 空闲，而可以删除的 {count} 条录音尚未上传到云端",
        "Bring the connection to the cloud back, put in a bigger card, or allow in Settings, Storage that sound is "
        "deleted before the cloud has it. Else recording stops when the disk is full.",
        "请恢复与云端的连接、更换更大的存储卡，或在“设置”的“存储”中允许删除尚未上传的录音。否则磁盘写满后录音将停止。",
    ),
    "file_damaged": AlarmText(
        _C,
        "A recording is no longer as it was sealed: {path} ({reason})",
        "录音文件与封存时不一致：{path}（{reason}）",
        "The card may be failing: export the recordings and replace it. A copy may be in the cloud.",
        "存储卡可能正在损坏：请导出录音并更换存储卡。云端可能有副本。",
    ),
    "spool_unreadable": AlarmText(
        _W,
        "Files that are no recordings lay in the spool folder and were set aside: {files}",
        "spool 目录中有非录音文件，已移到一旁：{files}",
        "Look at them; delete them when they are not yours. Recordings are not affected.",
        "请查看这些文件；如无用请删除。录音不受影响。",
    ),
    # Database
    "database_replaced": AlarmText(
        _C,
        "The database was damaged and a new one was made: {adopted} recordings were taken over from the disk",
        "数据库已损坏并新建：已从磁盘接管 {adopted} 条录音",
        "The damaged file is kept as {path}. Check the call list; replace the card if this happens again.",
        "损坏的文件保留为 {path}。请检查通话列表；如再次发生请更换存储卡。",
    ),
    "database_damaged": AlarmText(
        _C,
        "The database has damage: {reason}",
        "数据库有损坏：{reason}",
        "Export the recordings, then restart the box: it makes a new database and takes the recordings over.",
        "请先导出录音，然后重启设备：系统会新建数据库并接管录音。",
    ),
    "store_blocked": AlarmText(
        _C,
        "The database could not be written for {seconds} s: {reason}",
        "数据库有 {seconds} 秒无法写入：{reason}",
        "Nothing was lost, it was written later. If it repeats, check the card and what else uses the database.",
        "没有丢失，已补写。如反复出现，请检查存储卡以及其他使用数据库的程序。",
    ),
    "backup_failed": AlarmText(
        _W,
        "The backup of the database failed: {reason}",
        "数据库备份失败：{reason}",
        "Check the free space and the card.",
        "请检查剩余空间和存储卡。",
    ),
    "fact_refused": AlarmText(
        _C,
        "Something about {subject} contradicts what is stored and was put aside: {what}",
        "关于 {subject} 的一条信息与已存内容矛盾，已另存：{what}",
        "This is a fault of the software: send the output of offhook doctor to support.",
        "这是软件故障：请将 offhook doctor 的输出发给技术支持。",
    ),
    "ledger_unexplained": AlarmText(
        _C,
        "An event on line {subject} belongs to no call and no known fault: {what}",
        "线路 {subject} 有一个事件不属于任何通话或已知故障：{what}",
        "This is a fault of the software: send the output of offhook ledger to support.",
        "这是软件故障：请将 offhook ledger 的输出发给技术支持。",
    ),
    # The box
    "clock_not_set": AlarmText(
        _W,
        "The clock of the box is not set",
        "设备时钟未校准",
        "Connect the box to a network with a time server. Times in the list are corrected once the clock is set.",
        "请将设备连接到有时间服务器的网络。时钟校准后，列表中的时间会自动更正。",
    ),
    "settings_refused": AlarmText(
        _W,
        "New settings were refused: {reason}",
        "新设置被拒绝：{reason}",
        "The last good settings stay in force. Correct the document and apply it again.",
        "上一份有效设置继续生效。请更正后重新应用。",
    ),
    "power_low": AlarmText(
        _W,
        "The supply voltage is too low",
        "供电电压过低",
        "Use the official power supply of the Raspberry Pi and a short cable.",
        "请使用树莓派官方电源和较短的线缆。",
    ),
}

UNKNOWN = AlarmText(
    _W,
    "{key}: {subject}",
    "{key}：{subject}",
    "This message has no text: tell support.",
    "此消息没有文字说明：请告知技术支持。",
)
"""For a key that an older or newer version wrote."""


class _Params(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence(template: str, *, key: str, subject: str, params: dict[str, str]) -> str:
    """Fills ``template``; a param that is missing shows as a question mark."""
    return template.format_map(_Params({"key": key, "subject": subject} | params))
