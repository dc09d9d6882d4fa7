"""`qnetem --help`: groups, and no summary cut."""

from __future__ import annotations

from typer.testing import CliRunner

from qnetem.cli import main as cli
from qnetem.cli.help import GROUPS


def test_every_command_stands_in_a_group_with_a_whole_summary() -> None:
    page = CliRunner().invoke(cli.app, ["--help"], terminal_width=80).stdout
    assert "..." not in page.replace("[ARGS]...", "")
    assert [line[:-1] for line in page.splitlines() if line[:-1] in GROUPS] == list(GROUPS)
    assert "Other commands" not in page
    for command in cli.app.registered_commands:
        [line] = [
            line
            for line in page.splitlines()
            if line.split()[:1] == [command.name or _name(command)]
        ]
        assert line.endswith(".")
    assert all(len(line) <= 80 for line in page.splitlines())


def _name(command: object) -> str:
    return command.callback.__name__  # type: ignore[attr-defined, no-any-return]
