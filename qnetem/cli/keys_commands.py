"""`qnetem keys certs`, `qnetem keys serve` and `qnetem keys list`.

Owns their arguments and exit codes. Does not own certificates, serving or the reading of stores
(qnetem/keys/), nor the page (pages/keys_page.py).
"""

from __future__ import annotations

import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..emulator import plain_text
from ..text.error_output import INTERRUPTED, print_stderr, problem_lines
from ..text.folding import width_of
from .completion import run_names, topology_files
from .help import RUNNING
from .options import RUNS_FOLDER
from .set_option import SetOption, overrides_from
from .terminal import errors_on_standard_error, print_object, reader_may_close

if TYPE_CHECKING:
    from ..keys.certificates import Certificates
    from ..keys.reach import Reach
    from ..keys.serving import Served


class ListFormat(StrEnum):
    """How keys are listed."""

    table = "table"
    json = "json"


class RecordMode(StrEnum):
    """What a served run keeps."""

    hashes = "hashes"
    full = "full"


TopologyFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A topology (YAML).", autocompletion=topology_files),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--certificates", metavar="DIR", help="Their folder (beside the file: FILE-certificates)."
    ),
]

keys_app = typer.Typer(
    help="Serve the keys of a network to clients, and look at who had which.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(keys_app, name="keys", rich_help_panel=RUNNING)


@keys_app.command("certs")
def certs_command(file: TopologyFile, certificates: Folder = None, sets: SetOption = None) -> None:
    """Make certificates for tests: an authority, the sites' servers, the applications."""
    with errors_on_standard_error():
        from ..emulator.loading import load_topology
        from ..keys.certificates import make_certificates
        from ..keys.key_sites import key_sites

        topology = load_topology(file, overrides=overrides_from(sets))
        made = make_certificates(_folder(file, certificates), key_sites(topology))
        with reader_may_close():
            for line in _made_lines(made):
                typer.echo(plain_text.printable(line))


@keys_app.command("serve")
def serve_command(
    file: TopologyFile,
    certificates: Folder = None,
    port: Annotated[
        int,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Port of the first site; the others follow."
        ),
    ] = 8443,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the keys there, and begin with what it holds."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Seed, in place of one that is drawn.")
    ] = None,
    record: Annotated[
        RecordMode, typer.Option(help="hashes, or full: the run folder then has the keys.")
    ] = RecordMode.hashes,
    sets: SetOption = None,
    runs: Annotated[
        Path, typer.Option(*RUNS_FOLDER, metavar="DIR", help="Folder of the run folders.")
    ] = Path("runs"),
) -> None:
    """Run a topology as a key-delivery network, on loopback, until Ctrl-C."""
    with errors_on_standard_error():
        from ..api import prepare, run_to_end
        from ..keys.certificates import Certificates, make_certificates
        from ..keys.key_sites import key_sites
        from ..keys.serving import fresh_seed, served

        seed = fresh_seed() if seed is None else seed
        topology = prepare(file, seed=seed, overrides=overrides_from(sets))
        sites, folder = key_sites(topology), _folder(file, certificates)
        made = Certificates(folder) if folder.exists() else make_certificates(folder, sites)
        ports = [port + index for index in range(len(sites))]
        plan = served(topology, made, ports, store=store, record=record.value)
        with _Announcement(plan, made):
            done = run_to_end(plan.topology, runs_folder=runs)
        print_stderr([f"run folder: {done.run_folder}"])
        stopped = done.exit_code == INTERRUPTED
        if done.problem is not None and not stopped:
            print_stderr(problem_lines(done.problem, None))
    raise typer.Exit(0 if stopped else done.exit_code)


@keys_app.command("list")
def list_command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run folder, its name in the runs folder, or latest.",
            autocompletion=run_names,
        ),
    ],
    form: Annotated[
        ListFormat, typer.Option("--format", help="Tables, or one JSON object.")
    ] = ListFormat.table,
    runs: Annotated[
        Path, typer.Option(*RUNS_FOLDER, metavar="DIR", help="Folder of the run folders.")
    ] = Path("runs"),
) -> None:
    """Say which application had which keys of a run, from the audit trails of its sites."""
    with errors_on_standard_error():
        from ..keys.listing import as_data, keys_of_run
        from ..keys.reach import reach_of
        from ..runs.recorded import open_run
        from ..runs.run_folder import find_run
        from .pages.keys_page import page_of

        recorded = open_run(find_run(run, runs))
        sites = keys_of_run(recorded)
        has_journal = recorded.folder.journal.exists()
        reach = reach_of(recorded, sites) if has_journal else None
        with reader_may_close():
            if form is ListFormat.json:
                known = None if reach is None else reach.as_data()
                print_object({"sites": [as_data(site) for site in sites], "reach": known})
            else:
                sys.stdout.write(
                    "".join(
                        f"{plain_text.printable(line)}\n"
                        for line in (*page_of(sites, width_of(sys.stdout)), *_lines_of(reach))
                    )
                )
    raise typer.Exit(0 if all(site.broken is None for site in sites) else 1)


def _lines_of(reach: Reach | None) -> list[str]:
    if reach is None:
        return ["what compromised nodes give away is in runs with `record: full` only"]
    return reach.lines()


def _folder(file: Path, chosen: Path | None) -> Path:
    return file.with_name(f"{file.stem}-certificates") if chosen is None else chosen


def _made_lines(made: Certificates) -> list[str]:
    names = sorted(path.stem for path in (made.folder / "applications").glob("*.pem"))
    sites = sorted(path.stem for path in (made.folder / "sites").glob("*.pem"))
    return [
        f"authority     {made.authority}",
        *(f"site          {made.site(name)[0]}" for name in sites),
        *(f"application   {made.application(name)[0]}" for name in names),
    ]


class _Announcement:
    """Prints where the sites answer, once all do."""

    def __init__(self, plan: Served, certificates: Certificates) -> None:
        self._plan, self._certificates = plan, certificates
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="announcement", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _wait(self) -> None:
        from ..keys.serving import listens

        left = list(self._plan.endpoints)
        while left and not self._over.wait(0.1):
            left = [endpoint for endpoint in left if not listens(endpoint)]
        if not left:
            with reader_may_close():
                typer.echo("\n".join(map(plain_text.printable, self._lines())))
                sys.stdout.flush()

    def _lines(self) -> list[str]:
        lines = [
            f"{each.site.node}  {each.url}/api/v1/keys/  {', '.join(each.site.applications)}"
            for each in self._plan.endpoints
        ]
        pair = self._pair()
        if pair is not None:
            url, master, slave = pair
            certificate, key = self._certificates.application(master)
            lines.append(
                f"curl --cacert {self._certificates.authority} --cert {certificate} --key {key} "
                f"{url}/api/v1/keys/{slave}/enc_keys"
            )
        return [*lines, "Ctrl-C ends it"]

    def _pair(self) -> tuple[str, str, str] | None:
        """Where which application may ask for keys with which other one."""
        for one in self._plan.endpoints:
            for other in self._plan.endpoints:
                if one is not other and one.site.applications and other.site.applications:
                    return one.url, one.site.applications[0], other.site.applications[0]
        return None
