"""The life cycle drawn from its tables, for `tenants/README.md`.

python -m tenants.cases.diagram        prints the part of the page
python -m tenants.cases.diagram FILE   puts it into the page, between its two marks
"""

import sys
from pathlib import Path

from tenants.cases.graph import Side, State
from tenants.cases.lifecycle import GRAPH, RECEPTIONS, STEPS

BEGIN, END = "<!-- life cycle: generated -->", "<!-- life cycle: end -->"
_TITLES = {Side.REQUESTING: "The requesting side", Side.REQUESTED: "The requested side"}


def page() -> str:
    """Return both sides' diagrams and the table of steps as Markdown."""
    return "\n\n".join([*(_diagram(side) for side in Side), _table()])


def inserted(text: str) -> str:
    """Return a page with the generated part in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{page()}\n{END}{after}"


def _diagram(side: Side) -> str:
    lines = [f"### {_TITLES[side]}", "", "```mermaid", "stateDiagram-v2"]
    lines += [
        f"    {state}: {GRAPH.label(state, side)}" for state in State if GRAPH.label(state, side)
    ]
    lines.append(f"    [*] --> {GRAPH.starts[side]}")
    moves: dict[tuple[State, State], list[str]] = {}
    for row in (*STEPS, *RECEPTIONS):
        for source, target in row.paths.items() if row.side is side else ():
            if source is not None and source != target:
                word = getattr(row, "verb", None) or f"‹{getattr(row, 'kind', '')}›"
                moves.setdefault((source, target), []).append(word)
    lines += [
        f"    {source} --> {target}: {' / '.join(words)}"
        for (source, target), words in moves.items()
    ]
    lines += [f"    {state} --> [*]" for state in sorted(GRAPH.final[side])]
    return "\n".join([*lines, "```"])


def _table() -> str:
    lines = [
        "### Steps",
        "",
        "| Step | On the page | Who | Possible in | Sends |",
        "|---|---|---|---|---|",
    ]
    for row in STEPS:
        states = ", ".join(f"`{state}`" if state else "–" for state in row.paths)
        sends = f"`{row.sends}`" if row.sends else "–"
        who = row.by.replace("_", " ")
        lines.append(f"| `{row.verb}` | {row.label} | {who} | {states} | {sends} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        file = Path(sys.argv[1])
        file.write_text(inserted(file.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(page() + "\n")
