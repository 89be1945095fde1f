"""The console's sentences in English and Simplified Chinese."""

from __future__ import annotations

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
    "utc": ("All times are UTC.", "所有时间均为 UTC。"),
    "cut_short": ("cut short", "录音中断"),
}  # fmt: skip


def word(key: str, language: str) -> str:
    """The sentence for ``key``; a key that is not known (a box's own word) stays as it is."""
    found = _WORDS.get(key)
    return key if found is None else found[1 if language == "zh" else 0]
