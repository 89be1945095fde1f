"""The console's sentences in English and Simplified Chinese."""

from __future__ import annotations

from flask import request

LANGUAGES = {"en": "English", "zh": "简体中文"}

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Offhook cloud", "Offhook 云端"),
    "boxes": ("Boxes", "设备"),
    "box": ("Box", "设备"),
    "calls": ("Calls", "通话"),
    "alarms": ("Alarms", "告警"),
    "aside": ("Messages put aside", "被搁置的消息"),
    "no_boxes": ("No box has reported yet.", "还没有设备上报。"),
    "no_calls": ("No calls.", "没有通话。"),
    "no_alarms": ("No alarms.", "没有告警。"),
    "search": ("Search", "搜索"),
    "search_hint": ("Number, name, line or call id", "号码、姓名、线路或通话编号"),
    "older": ("Older calls", "更早的通话"),
    "state": ("State", "状态"),
    "ready": ("online", "在线"),
    "lost": ("connection lost", "连接中断"),
    "disconnected": ("offline", "离线"),
    "unknown": ("unknown", "未知"),
    "last_heard": ("Last heard", "最近上报"),
    "records": ("Records", "记录"),
    "complete": ("complete", "完整"),
    "missing": ("on their way", "尚未到达"),
    "recordings": ("Recordings", "录音"),
    "stored": ("stored", "已存储"),
    "receiving": ("being received", "正在接收"),
    "awaited": ("not here yet", "尚未到达"),
    "aborted": ("no longer on the box", "设备上已不存在"),
    "time": ("Time", "时间"),
    "line": ("Line", "线路"),
    "number": ("Number", "号码"),
    "direction": ("Direction", "方向"),
    "incoming": ("incoming", "来电"),
    "outgoing": ("outgoing", "去电"),
    "outcome": ("Outcome", "结果"),
    "duration": ("Duration", "时长"),
    "withheld": ("withheld", "号码隐藏"),
    "answered": ("answered", "已接听"),
    "missed": ("missed", "未接"),
    "reason": ("Reason", "原因"),
    "login": ("Log in", "登录"),
    "logout": ("Log out", "退出登录"),
    "user": ("User name", "用户名"),
    "password": ("Password", "密码"),
    "password_again": ("Password again", "再次输入密码"),
    "wrong": ("The user name or the password is wrong.", "用户名或密码错误。"),
    "wait": ("Too many wrong answers. Wait a while, then try again.", "错误次数过多，请稍候再试。"),
    "first_run": ("First run", "首次使用"),
    "first_run_hint": (
        "The code stands in the terminal where the console was started.",
        "代码显示在启动控制台的终端中。",
    ),
    "code": ("First-run code", "首次使用代码"),
    "wrong_code": ("This is not the first-run code.", "首次使用代码不正确。"),
    "make": ("Make the account", "创建账户"),
    "short": ("Choose a user name, and twice the same password of at least 10 characters.",
              "请填写用户名，并两次输入相同的、至少 10 个字符的密码。"),
    "nothing": ("There is nothing here.", "此处没有内容。"),
    "unreadable": ("The receiver's database cannot be read now.", "目前无法读取接收端数据库。"),
    "stale": ("This form is too old. Load the page again.", "此表单已过期，请重新加载页面。"),
    "cut_short": ("cut short", "录音中断"),
    "times": ("Times are shown in the zone", "时间所用时区："),
    "overview": ("Overview", "概览"),
    "boxes_online": ("boxes online", "在线设备"),
    "standing_alarms": ("standing alarms", "当前告警"),
    "boxes_incomplete": ("boxes whose records are on their way", "记录尚未到齐的设备"),
    "files_on_their_way": ("recordings on their way", "正在接收的录音"),
    "files_stored": ("recordings stored", "已存储的录音"),
    "oldest": ("the oldest", "最早："),
    "latest_calls": ("Latest calls", "最近的通话"),
    "all_calls": ("All calls", "全部通话"),
    "call": ("Call", "通话"),
    "answered_at": ("Answered", "接听时间"),
    "ended_at": ("Ended", "结束时间"),
    "call_id": ("Call id", "通话编号"),
    "recording": ("Recording", "录音"),
    "no_recording": ("No recording belongs to this call.", "此通话没有录音。"),
    "failed": ("failed", "失败"),
    "file": ("File", "文件"),
    "size": ("Size", "大小"),
    "arrived": ("Stored at", "存储时间"),
    "box_hint": ("Name of a box", "设备名称"),
    "no_such_box": ("No box has such a name.", "没有这样名称的设备。"),
    "more": ("More", "更多"),
    "first_heard": ("First heard", "首次上报"),
    "software": ("Software", "软件版本"),
    "backlog": ("Waits on the box", "设备上待上传"),
    "records_unit": ("records", "条记录"),
    "recordings_unit": ("recordings", "个录音"),
    "wishes": ("Asked of this box", "对此设备的要求"),
    "desired": ("Settings, version", "设置，版本"),
    "applied": ("in force", "已生效"),
    "refused": ("refused", "被拒绝"),
    "waiting": ("waiting", "等待中"),
    "accepted": ("accepted", "已接受"),
    "running": ("running", "执行中"),
    "done": ("done", "已完成"),
    "expired": ("expired", "已过期"),
    "unsupported": ("not supported", "不支持"),
    "command": ("Command", "命令"),
    "answer": ("Answered at", "答复时间"),
    "standing": ("Standing", "当前"),
    "with_past": ("With past ones", "包括已解除"),
    "aside_hint": ("What could not be handled. It stopped nobody; whoever sent it should be looked at.",
                   "无法处理的消息。它们不影响其他消息，但应检查其来源。"),
    "nothing_aside": ("Nothing was put aside.", "没有被搁置的消息。"),
    "last_time": ("Last time", "最近一次"),
    "topic": ("Topic", "主题"),
    "times_seen": ("Times", "次数"),
    "just_now": ("just now", "刚刚"),
    "minutes_ago": ("{} min ago", "{} 分钟前"),
    "hours_ago": ("{} h ago", "{} 小时前"),
    "days_ago": ("{} d ago", "{} 天前"),
    "ringing": ("ringing", "振铃中"),
    "dialing": ("dialling", "拨号中"),
    "talking": ("in progress", "通话中"),
    "suspended": ("on hold", "保持中"),
    "abandoned": ("given up", "已放弃"),
    "unsupervised": ("answer not seen", "未检测到接听"),
    "ended": ("ended", "已结束"),
    "valid": ("no number", "无号码"),
    "rejected": ("rejected", "已拒绝"),
    "busy": ("busy", "忙线"),
    "no_answer": ("no answer", "无人接听"),
    "unavailable": ("no caller ID", "无来电显示"),
}  # fmt: skip


def current_language() -> str:
    """As the visitor chose it, else as the browser asks for it."""
    wanted = request.cookies.get("language", "")
    if wanted in LANGUAGES:
        return wanted
    return "zh" if (request.accept_languages.best or "en").lower().startswith("zh") else "en"


def say(key: str) -> str:
    """The sentence for ``key`` in the visitor's language."""
    return word(key, current_language())


def word(key: str, language: str) -> str:
    """The sentence for ``key``; a key that is not known (a box's own word) stays as it is."""
    found = _WORDS.get(key)
    return key if found is None else found[1 if language == "zh" else 0]
