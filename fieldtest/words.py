"""The words of certificate, page and terminal that are not those of a step."""

from __future__ import annotations

from fieldtest.results import Words
from fieldtest.verdicts import Verdict

VERDICTS = {
    Verdict.PASSED: Words(en="passed", zh="合格"),
    Verdict.MARGINAL: Words(en="marginal", zh="临界"),
    Verdict.FAILED: Words(en="FAILED", zh="不合格"),
    Verdict.NOT_TESTED: Words(en="not tested", zh="未测试"),
}
COLUMNS = (
    Words(en="Step", zh="步骤"),
    Words(en="Value", zh="数值"),
    Words(en="Limits", zh="限值"),
    Words(en="Drift", zh="变化"),
    Words(en="Verdict", zh="结论"),
    Words(en="Note", zh="说明"),
)
YES, NO = Words(en="yes", zh="是"), Words(en="no", zh="否")
TITLE = Words(en="Field test certificate", zh="现场测试证书")
PLACE = Words(en="Place", zh="地点")
BOX = Words(en="Box", zh="设备")
WHEN = Words(en="Tested", zh="测试时间")
TECHNICIAN = Words(en="Technician", zh="技术员")
RUN = Words(en="Run", zh="测试编号")
VERSION = Words(en="Software", zh="软件版本")
SERIALS = Words(en="Serial numbers", zh="序列号")
FINDINGS = Words(en="What is wrong, and what to do", zh="问题与处理")
MEASURED = Words(en="{n} of {all} steps measured, {seconds:.0f} s", zh="已测 {n}/{all} 步，用时 {seconds:.0f} 秒")
SIGNED = Words(
    en="Signed by the box. Check it with: offhook verify FILE. Key {fingerprint}.",
    zh="由设备签名。校验命令：offhook verify FILE。密钥指纹 {fingerprint}。",
)
BREACH = Words(
    en="An unfinished run: what is missing here was not tested.", zh="测试未完成：此处未列出的项目均未测试。"
)
