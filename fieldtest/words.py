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

PAGE = {
    "title": Words(en="Field test", zh="现场测试"),
    "about": Words(en="Prove line by line that this box records", zh="逐条线路证明设备能够录音"),
    "intro": Words(
        en="You need a second telephone, and for each line about three minutes. It works without a network.",
        zh="需要另一部电话，每条线路约三分钟。无需网络。",
    ),
    "technician": Words(en="Your name", zh="您的姓名"),
    "serials": Words(en="Serial numbers (NAME=VALUE, one a line)", zh="序列号（名称=值，每行一个）"),
    "what": Words(en="What is tested", zh="测试内容"),
    "box": Words(en="The box itself", zh="设备本身"),
    "start": Words(en="Start", zh="开始测试"),
    "go_on": Words(en="Go on with this run", zh="继续此次测试"),
    "again": Words(en="Test again", zh="重新测试"),
    "begin_act": Words(en="I begin now", zh="现在开始"),
    "done_act": Words(en="It is done", zh="已完成"),
    "next": Words(en="Go on", zh="继续"),
    "heard": Words(en="Both sides heard", zh="双方都听到"),
    "not_heard": Words(en="Not both", zh="没有都听到"),
    "repeat": Words(en="Repeat this line", zh="重测本线路"),
    "skip": Words(en="Skip this line", zh="跳过本线路"),
    "reason": Words(en="Why is it skipped?", zh="为什么跳过？"),
    "abort": Words(en="End here", zh="到此结束"),
    "watching": Words(en="The box is watching ...", zh="设备正在检测……"),
    "seconds": Words(en="{n} s left", zh="还剩 {n} 秒"),
    "earlier": Words(en="Earlier field tests", zh="以往的现场测试"),
    "none": Words(en="There was none yet.", zh="还没有。"),
    "no_lines": Words(
        en="The recorder does not answer; try again in a few seconds.", zh="录音服务没有响应，请稍后再试。"
    ),
    "certificate": Words(en="Certificate", zh="证书"),
    "issue": Words(en="Make the certificate", zh="生成证书"),
    "photo": Words(en="Photo of the place (optional)", zh="现场照片（可选）"),
    "to_now": Words(en="To the test that is going on", zh="前往正在进行的测试"),
    "other": Words(en="This question was answered already.", zh="该问题已经回答。"),
    "open": Words(en="not finished", zh="未完成"),
    "aborted": Words(en="ended early", zh="提前结束"),
    "finished": Words(en="finished", zh="已完成"),
}
