"""What the box says about its updates, in English and in Chinese."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "idle": ("No update was asked for.", "没有更新请求。"),
    "checking": ("Checking the update.", "正在检查更新包。"),
    "waiting": ("Waits until no line is in a call.", "等待所有线路通话结束。"),
    "installing": (
        "Installing. Calls are recorded as usual; do not cut the power if you can help it.",
        "正在安装。通话照常录音；请尽量不要断电。",
    ),
    "restarting": (
        "Installed. The box restarts into the new version, which takes one to two minutes.",
        "安装完成。设备正在重启到新版本，需要一到两分钟。",
    ),
    "proving": (
        "The new version runs and is proving itself: recorder, page, database, one recorded test call.",
        "新版本已启动，正在自检：录音、网页、数据库和一次测试通话。",
    ),
    "done": ("Version {version} runs and has proved itself.", "版本 {version} 正在运行并已通过自检。"),
    "cancelled": ("The update was cancelled. Nothing was changed.", "更新已取消，未作任何更改。"),
    "in_call": (
        "Refused: a line is in a call. Try again when it is over, or let the update wait for quiet.",
        "已拒绝：有线路正在通话。请在通话结束后重试，或选择等待空闲时更新。",
    ),
    "no_bundle": (
        "Refused: there is no such file. Upload the update again.",
        "已拒绝：找不到该文件。请重新上传更新包。",
    ),
    "not_signed": (
        "Refused: this is no update made for this box, or it is damaged ({why}). Download it and upload it again.",
        "已拒绝：这不是适用于本设备的更新包，或文件已损坏（{why}）。请重新下载并上传。",
    ),
    "other_kind": (
        "Refused: the update is for another kind of box ({compatible}).",
        "已拒绝：该更新包适用于另一种设备（{compatible}）。",
    ),
    "downgrade": (
        "Refused: {candidate} is older than {version}, which runs. Insist on it if you mean it.",
        "已拒绝：{candidate} 比正在运行的 {version} 更旧。如确有需要，请勾选允许降级。",
    ),
    "unknown_version": (
        "Refused: {candidate} is no version of Offhook.",
        "已拒绝：{candidate} 不是有效的版本号。",
    ),
    "failed": (
        "The update could not be installed ({why}). The version that was there goes on running.",
        "更新安装失败（{why}）。原版本继续运行。",
    ),
    "no_other": (
        "Refused: the other slot holds no version that has proved itself.",
        "已拒绝：另一个系统分区中没有可用的版本。",
    ),
    "rolled_back": (
        "{candidate} did not prove itself ({why}). The box went back to {version}, which runs as before.",
        "{candidate} 未通过自检（{why}）。设备已退回 {version} 并正常运行。",
    ),
    "went_back": ("The box went back to {version}, as asked.", "已按要求退回到 {version}。"),
    "interrupted": (
        "The update was interrupted before it was complete. The version that was there goes on running.",
        "更新在完成前被中断。原版本继续运行。",
    ),
}


def text(key: str, **params: object) -> dict[str, str]:
    """``{"en", "zh"}`` with the blanks filled."""
    english, chinese = TEXTS[key]
    return {"en": english.format(**params), "zh": chinese.format(**params)}
