"""Makes demo.svg, the README's animated picture of `make demo`, of a real run: `python -m docs.demo.picture --record`.

`.tox/tests/bin/python` has all that this needs. A run takes two minutes. Without `--record`, the picture is made of
demo.cast, which is what was recorded last: a text in asciinema's format.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pyte

HERE = Path(__file__).parent
RECORDING, PICTURE = HERE / "demo.cast", HERE / "demo.svg"
COLUMNS, ROWS = 80, 200  # more rows than there are lines, so that nothing scrolls away
FRAMES, SECONDS, PAUSE = 40, 9, 6  # of the whole run; then the result stays for a while
NOTES = "Who picks is"  # how compare's notes begin, which would make the picture half as high again
COMMAND = f"echo '$ make demo'; exec {sys.executable} -m lab run --dns-ttl 5 -- {sys.executable} -m compare"
# How rich draws its bars anew: it clears these lines first. What it drew before is gone by then.
DRAWN_OVER = re.compile(r"(\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*+)(?:(?!\r\x1b\[2K).)*+(?=\1(?!\x1b\[1A))", re.DOTALL)


class Recording(NamedTuple):
    """What a terminal was sent, and when."""

    header: dict[str, int]
    events: list[tuple[float, str]]

    def lines(self) -> list[str]:
        """What the terminal shows in the end."""
        screen = pyte.Screen(COLUMNS, ROWS)
        pyte.Stream(screen).feed("".join(text for _, text in self.events))
        return "\n".join(line.rstrip() for line in screen.display).rstrip().splitlines()

    def before(self, mark: str) -> "Recording":
        """The same up to a text."""
        events = []
        for at, text in self.events:
            shown, found, _ = text.partition(mark)
            events.append((at, shown))
            if found:
                break
        return Recording(self.header, events)

    def fast(self) -> "Recording":
        """The same in a few seconds and frames, on a screen that is as high as it has to be."""
        whole = self.events[-1][0]
        frames = [""] * (FRAMES + 1)
        for at, text in self.events:
            frames[int(at / whole * FRAMES)] += text
        events = [(round(i * SECONDS / FRAMES, 3), DRAWN_OVER.sub("", text)) for i, text in enumerate(frames) if text]
        fast = Recording(self.header, events)
        result = fast.lines()
        # What a library says amid the bars pushes them down, and goes with the frame.
        assert [*self.lines()[:1], *self.lines()[1 - len(result) :]] == result, "a frame is missing that others need"
        return Recording(self.header | {"height": len(result) + 2}, events)

    def write(self, path: Path) -> None:
        rows = [self.header, *([at, "o", text] for at, text in self.events)]
        path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


def read(path: Path) -> Recording:
    header, *events = map(json.loads, path.read_text().splitlines())
    return Recording(header, [(at, text) for at, _, text in events])


def termtosvg(*args: str | Path, stdin: int | None = None) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-m", "termtosvg", *args]
    subprocess.run(command, check=True, stdin=stdin, stderr=subprocess.DEVNULL, env=env | {"TERM": "xterm-256color"})


def record(command: str) -> Recording:
    """What a command says to a terminal of its own."""
    with tempfile.TemporaryDirectory() as directory:
        cast = Path(directory, "all.cast")
        stdin, open_end = os.pipe()  # it would end with its own input
        quoted = command.replace('"', '\\"')
        termtosvg("record", cast, "-g", f"{COLUMNS}x{ROWS}", "-c", f'bash -c "{quoted}"', stdin=stdin)
        os.close(stdin)
        os.close(open_end)
        return read(cast)


def draw(recording: Path, picture: Path) -> None:
    termtosvg("render", recording, picture, "--template", HERE / "template.svg", "--loop-delay", str(PAUSE * 1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="run the demo, and keep what it says")
    if parser.parse_args().record:
        record(COMMAND).before(NOTES).fast().write(RECORDING)
    draw(RECORDING, PICTURE)


if __name__ == "__main__":
    main()
