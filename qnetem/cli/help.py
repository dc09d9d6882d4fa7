"""The command line's own help: commands in groups, no summary cut.

Owns the list of commands that `qnetem --help` prints. A command names its group when it is registered
(`rich_help_panel`); groups come in the order of GROUPS, commands in theirs. Plain text without frames, so
that a line can be copied and a log can hold it.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

RUNNING, RECORDED, LIVE, FILES, REFERENCE = GROUPS = (
    "Run a network",
    "Look at runs",
    "During a run",
    "Check topologies",
    "Look up",
)
#: For commands that name no group.
_OTHERS = "Other commands"


class GroupedCommands(TyperGroup):
    """The group of all commands."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group as a section."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            group = getattr(command, "rich_help_panel", None)
            groups.setdefault(group if isinstance(group, str) else _OTHERS, []).append(
                (name, _summary(command.help or ""))
            )
        # One width for all, so that the summaries stand below each other.
        widest = max((len(name) for rows in groups.values() for name, _ in rows), default=0)
        for group, rows in groups.items():
            if rows:
                with formatter.section(group):
                    formatter.write_dl([(f"{name:<{widest}}", text) for name, text in rows])


def _summary(text: str) -> str:
    """The first sentence of a command's help, whole."""
    paragraph = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "." if paragraph else ""
