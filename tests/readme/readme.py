"""The examples of the README: commands, settings, programs and the table of headers."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One thing that a reader may copy."""

    kind: str  # command, toml or python
    text: str
    line: int


def examples(text):
    """All of them, in the order of the text. A block is indented by four spaces, or fenced with the name of its language."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        start = at
        if lines[at].startswith("```") and len(lines[at]) > 3:
            at = lines.index("```", at + 1)
            yield Example(lines[start][3:], "\n".join(lines[start + 1 : at]) + "\n", start + 1)
        elif lines[at].startswith("    "):
            while at < len(lines) and lines[at].startswith("    "):
                at += 1
            yield from _block([line[4:] for line in lines[start:at]], start + 1)
        at += 1


def _block(lines, number):
    if lines[0].startswith("["):
        yield Example("toml", "\n".join(lines) + "\n", number)
        return
    for offset, line in enumerate(lines):
        yield Example("command", re.sub(r"\s+# .*", "", line), number + offset)


def headers(text):
    """The headers of the producer's table, each with its example."""
    return dict(re.findall(r"^\| `(ce_\w+|content-type)` \| `(.+?)` \|", text, re.MULTILINE))
