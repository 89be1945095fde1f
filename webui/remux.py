"""``python -m webui.remux SOURCE TARGET``: puts Ogg Opus into MP4 without decoding it.

A process of its own: libav's memory goes back when it ends, and a damaged file that crashes libav does not take the
page along.
"""

from __future__ import annotations

import sys
from pathlib import Path


def remux(source: Path, target: Path) -> None:
    """Copies the packets of ``source`` into an MP4 whose index comes first, so that a browser can seek at once.

    Raises `OSError` (libav's errors are of that kind where there is one) or `av.FFmpegError`.
    """
    import av  # noqa: PLC0415 - 40 MiB that the page itself must not hold

    with (
        av.open(str(source)) as ogg,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as mp4,
    ):
        sound = ogg.streams.audio[0]
        copy = mp4.add_stream_from_template(sound)
        for packet in ogg.demux(sound):
            if packet.dts is not None:
                packet.stream = copy
                mp4.mux(packet)


if __name__ == "__main__":
    remux(Path(sys.argv[1]), Path(sys.argv[2]))
