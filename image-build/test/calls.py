"""One call on a line that the kernel simulates inside the machine, recorded by the box's own recorder."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from emulator import Machine, MachineError

TONE_HZ = 523.0
_LINE = textwrap.dedent("""
    import json, subprocess, sys, time
    sys.path.insert(0, "/usr/lib/offhook/python")
    from pathlib import Path
    from appliance import tone
    from appliance.bench_line import BenchLine
    folder = Path("/run/offhook-bench"); folder.mkdir(exist_ok=True); folder.chmod(0o755)
    line = BenchLine("image-test").__enter__()
    (folder / "profile.toml").write_text(line.profile())
    tone.write(folder / "tone.wav", {tone_hz}, {talk_s} + 120)
    from firmware.errors import OffhookError
    from firmware.ipc.client import RecorderClient
    end = time.monotonic() + {patience}
    def ask(command, **arguments):
        with RecorderClient(Path("/run/offhook/recorder.sock")) as client:
            return client.request(command, **arguments)
    def watches():
        # An emulated recorder may take longer for an answer than its clients wait.
        try:
            now = ask("config.get")
            document = now["document"]
            if "bench-1" not in document:
                document += '\\n[[lines]]\\nid = "bench-1"\\ndriver = "fxo-gpio"\\nlabel = "Bench"\\n'
                document += '[lines.options]\\nprofile = "' + str(folder / "profile.toml") + '"\\nport = 1\\n'
                ask("config.apply", base_version=now["version"], document=document, by="image-test")
            return any(one["id"] == "bench-1" and one["present"] for one in ask("state")["lines"])
        except OffhookError as error:
            print(error, file=sys.stderr)
            return False
    while not watches():
        assert time.monotonic() < end, "the recorder does not watch the line"
        time.sleep(0.5)
    line.play(folder / "tone.wav")
    line.ring(); line.lift()
    time.sleep({talk_s})
    {then}
""")
_HANG_UP = """
    line.hang_up()
    while True:
        shown = subprocess.run(["offhook", "calls", "--line", "bench-1", "--json"], capture_output=True, text=True)
        calls = json.loads(shown.stdout)["calls"] if shown.stdout else []
        if calls and calls[0]["recordings"] and calls[0]["recordings"][0]["flac_path"]: break
        assert time.monotonic() < end + 120, shown
        time.sleep(0.5)
    recording = calls[0]["recordings"][0]
    heard = tone.listen(Path("/var/lib/offhook") / recording["flac_path"], {tone_hz})
    line.close()
    found = {{"heard_s": heard.seconds, "of_s": heard.of_s, "level_dbfs": heard.level_dbfs}}
    print(json.dumps({{"call": calls[0], **found}}))
"""


def record_one(box: Machine, talk_s: float = 8.0) -> dict[str, Any]:
    """The call with what its recording holds."""
    then = textwrap.dedent(_HANG_UP).format(tone_hz=TONE_HZ)
    script = _LINE.format(tone_hz=TONE_HZ, talk_s=talk_s, patience=300, then=then)
    output = box.ssh("python3 -I -", feed=script.encode(), deadline_s=600)
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


def begin_one(box: Machine) -> None:
    """A call that stays up."""
    script = _LINE.format(tone_hz=TONE_HZ, talk_s=3, patience=300, then='print("up"); import os; os._exit(0)')
    if "up" not in box.ssh("python3 -I -", feed=script.encode(), deadline_s=600):
        raise MachineError("the call did not begin")
