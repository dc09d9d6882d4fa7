"""The plugin as another project's test-suite has it: a folder of its own, and a pytest of its own.

That pytest is a process of its own where something depends on it: Ctrl-C, workers, what processes import.
Elsewhere it runs in the process of the tests, which has imported everything already.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

#: Without a cache, and without what others' plugins import: most of the time of a small session.
_LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
#: pytest-asyncio warns of what a project has not set.
_LOOP = "asyncio_default_fixture_loop_scope = function"

PROGRAM = """\
import asyncio
from qnetem import Agent

class Alice(Agent):
    async def run(self, rounds: int = 3):
        bits = []
        for _ in range(rounds):
            pair = await self.entangle("bob")
            await self.probe("pair", pair)
            await asyncio.sleep(1e-3)
            bits.append(await pair.measure("Z"))
        return {"bits": bits}

class Bob(Agent):
    async def run(self, rounds: int = 3):
        for _ in range(rounds):
            pair = await self.entangle("alice")
            await asyncio.sleep(1e-3)
            await pair.measure("Z")
"""
TOPOLOGY = """\
name: coin
seed: 7
nodes:
  alice: {program: "./coin.py:Alice"}
  bob: {program: "./coin.py:Bob"}
links:
  - {between: [alice, bob], quantum: {entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}}
"""


@pytest.fixture
def elsewhere(pytester: pytest.Pytester, imported: None) -> pytest.Pytester:
    """A project that tests coin.yaml."""
    (pytester.path / "coin.py").write_text(PROGRAM, encoding="utf-8")
    (pytester.path / "coin.yaml").write_text(TOPOLOGY, encoding="utf-8")
    return pytester


def pytest_on(
    elsewhere: pytest.Pytester, test: str, *options: str, auto: bool = False, apart: bool = False
) -> pytest.RunResult:
    """What pytest says to `test`; `auto`: pytest-asyncio's mode, else strict; `apart`: in a process."""
    elsewhere.makepyfile(test_coin=test)
    mode = "auto" if auto else "strict"
    elsewhere.makeini(f"[pytest]\nasyncio_mode = {mode}\n{_LOOP}\nfilterwarnings = error\n")
    pytest_of_its_own = elsewhere.runpytest_subprocess if apart else elsewhere.runpytest_inprocess
    return pytest_of_its_own(*_LEAN, *options)


SYNC = """
    def test_coin(network):
        run = network("coin.yaml")
        run.assert_ok()
        print("digest", run.digest)
"""
ASYNC = """
    import pytest

    @pytest.mark.asyncio
    async def test_coin(launch_network):
        async with launch_network("coin.yaml") as network:
            run = await network.finished()
        run.assert_ok()
        print("digest", run.digest)
"""


def digest(result: pytest.RunResult) -> str:
    result.assert_outcomes(passed=1)
    found = re.search(r"digest (\w{32})", result.stdout.str())
    assert found is not None
    return found[1]


def test_a_test_with_and_without_async_sees_the_same_run(elsewhere: pytest.Pytester) -> None:
    plain = digest(pytest_on(elsewhere, SYNC, "-s", apart=True))
    assert digest(pytest_on(elsewhere, ASYNC, "-s", apart=True)) == plain
    assert digest(pytest_on(elsewhere, ASYNC, "-s", auto=True)) == plain
    assert digest(pytest_on(elsewhere, SYNC, "-s", "--qnetem-seed", "8")) != plain


@pytest.mark.processes
def test_processes_give_the_digests_of_one_process(elsewhere: pytest.Pytester) -> None:
    plain = digest(pytest_on(elsewhere, SYNC, "-s"))
    assert digest(pytest_on(elsewhere, SYNC, "-s", "--qnetem-processes", apart=True)) == plain
    assert digest(pytest_on(elsewhere, ASYNC, "-s", "--qnetem-processes")) == plain
    assert digest(pytest_on(elsewhere, SYNC, "-s", "--qnetem-workers", "1")) == plain


FAILS = """
    def test_coin(network):
        run = network("coin.yaml")
        run.assert_result("links.alice-bob.pairs", "> 3")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_failure_shows_run_folder_seed_and_command(
    workers: list[str], elsewhere: pytest.Pytester
) -> None:
    result = pytest_on(elsewhere, FAILS, "--qnetem-seed", "11", *workers, apart=bool(workers))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*AssertionError: expected links.alice-bob.pairs > 3, measured 3* (N = 3; off by 0)",
            "*- qnetem -*",
            "run         coin, seed 11, in one process",
            "run folder  *runs/coin-*",
            "digest      *",
            "ended       well",
            "again       pytest test_coin.py::test_coin --qnetem-seed 11",
        ]
    )
    folder = re.search(r"run folder  (.*)", result.stdout.str())
    assert folder is not None
    assert (Path(folder[1]) / "journal.jsonl.gz").is_file()
    assert "assertions.py" not in result.stdout.str()


def test_a_failure_shows_every_run_and_how_it_ended(elsewhere: pytest.Pytester) -> None:
    test = """
        FAULT = {"at": "0 s", "kill": "bob"}

        def test_coin(network):
            network("coin.yaml", seed=3)
            network("coin.yaml", seed=4, faults=[FAULT]).assert_ok()
    """
    result = pytest_on(elsewhere, test)
    result.assert_outcomes(failed=1)
    report, _, _ = result.stdout.str().partition("short test summary")  # in CI that tells all again
    assert report.count("nothing is left to happen") == 1
    result.stdout.fnmatch_lines(
        [
            "E*error: nothing is left to happen at 0 ns, but:",
            "run         coin, seed 3, in one process",
            "ended       well",
            "run         coin, seed 4, in one process",
            "ended       with StuckError, as shown above",
            "again       pytest test_coin.py::test_coin",
        ]
    )


def test_a_run_whose_end_the_assertion_does_not_tell_is_told(elsewhere: pytest.Pytester) -> None:
    test = """
        def test_coin(network):
            assert network("coin.yaml", faults=[{"at": "0 s", "kill": "bob"}]).results["bob"] == 1
    """
    pytest_on(elsewhere, test).stdout.fnmatch_lines(
        [
            "ended       error: nothing is left to happen at 0 ns, but:",
            "              alice waits for entangle with bob *",
            "again       pytest test_coin.py::test_coin",
        ]
    )


def test_a_mistake_in_a_topology_is_shown_without_our_lines(elsewhere: pytest.Pytester) -> None:
    test = """
        def test_coin(network):
            network("coin.yaml", faults=[{"at": "0 s", "kill": "bib"}, {"at": "0 s", "cut": "x"}])

        async def test_launched(launch_network):
            launch_network("coin.yaml", until="-3 s")
    """
    result = pytest_on(elsewhere, test, auto=True)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*TopologyError: *kill: unknown node 'bib'; did you mean 'bob'? (and 1 more)",
            "E*cut: unknown link 'x'*",
            "E*InputError: until: a run needs some time, not '-3 s'",
        ]
    )
    for ours in ("loader.py", "api.py", "pytest_plugin.py:"):
        assert ours not in result.stdout.str()


def test_a_run_that_was_touched_by_hand_is_repeated_from_its_record(
    elsewhere: pytest.Pytester,
) -> None:
    """The same test again adds the fault at another instant; a replay knows when it was."""
    test = """
        import asyncio
        from qnetem import Agent

        class Forever(Agent):
            async def run(self):
                while True:
                    await asyncio.sleep(1e-3)

        async def test_coin(launch_network):
            async with launch_network({"name": "x", "nodes": {"a": {"program": Forever}}}) as network:
                await network.fault("{kill: a}")
                await network.finished()
            assert False
    """
    result = pytest_on(elsewhere, test, auto=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "run folder  *runs/x-*",
            "ended       well",
            "replay      qnetem replay *runs/x-*",
            "again       pytest test_coin.py::test_coin",
        ]
    )


@pytest.mark.parametrize(
    "place", [[], pytest.param(["--qnetem-processes"], marks=pytest.mark.processes)]
)
def test_ctrl_c_ends_the_session_and_not_the_run_alone(
    place: list[str], elsewhere: pytest.Pytester
) -> None:
    test = """
        import asyncio, os, signal, threading, time
        from qnetem import Agent

        class Forever(Agent):
            async def run(self):
                while True:
                    await asyncio.sleep(1e-3)

        def press_ctrl_c_once_it_runs(folder):
            while not any(path.stat().st_size for path in folder.glob("runs/*/nodes/a.1.bin.gz")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        def test_first(network, tmp_path):
            threading.Thread(target=press_ctrl_c_once_it_runs, args=[tmp_path], daemon=True).start()
            network({"name": "x", "nodes": {"a": {"program": Forever}}})

        def test_second():
            pass
    """
    result = pytest_on(elsewhere, test, *place, apart=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*", "*no tests ran*"])


def test_a_network_that_is_left_by_a_failure_is_shown_too(elsewhere: pytest.Pytester) -> None:
    test = """
        async def test_coin(launch_network):
            async with launch_network("coin.yaml"):
                assert False
    """
    result = pytest_on(elsewhere, test, auto=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["run folder  *runs/coin-*", "ended       unknown: the test has not awaited finished()"]
    )


def test_a_test_that_passes_shows_nothing(elsewhere: pytest.Pytester) -> None:
    result = pytest_on(elsewhere, SYNC, "-rA")
    result.assert_outcomes(passed=1)
    assert "run folder" not in result.stdout.str()


def test_run_folders_are_kept_on_request(elsewhere: pytest.Pytester) -> None:
    pytest_on(elsewhere, SYNC).assert_outcomes(passed=1)
    assert not (elsewhere.path / "runs").exists()
    for option, place in (("--qnetem-keep-run", "runs"), ("--qnetem-runs-folder=kept", "kept")):
        pytest_on(elsewhere, SYNC, option).assert_outcomes(passed=1)
        (folder,) = (elsewhere.path / place).iterdir()
        assert folder.name.startswith("coin-")


def test_files_are_looked_for_beside_the_test(elsewhere: pytest.Pytester) -> None:
    elsewhere.makeini(f"[pytest]\n{_LOOP}\n")
    below = elsewhere.mkdir("below")
    for name in ("coin.py", "coin.yaml"):
        (elsewhere.path / name).rename(below / name)
    (below / "test_below.py").write_text(
        "def test_file(network):\n"
        "    network('coin.yaml').assert_ok()\n"
        "def test_text(network):\n"
        f"    network({TOPOLOGY!r}).assert_ok()\n",
        encoding="utf-8",
    )
    elsewhere.runpytest_inprocess(*_LEAN).assert_outcomes(passed=2)


INLINE = """
    from qnetem import Agent

    class Alice(Agent):
        async def run(self, word: str):
            await self.send("bob", word)

    class Bob(Agent):
        async def run(self):
            return (await self.receive()).body

    def test_inline(network):
        run = network({
            "name": "inline",
            "nodes": {"alice": {"program": Alice, "with": {"word": "hello"}}, "bob": {"program": Bob}},
            "links": [{"between": ["alice", "bob"], "quantum": {"length": "1 km"}}],
        })
        run.assert_result("bob", "== 'hello'")
"""


_PROCESSES = ["--qnetem-processes"]


@pytest.mark.parametrize(
    ("layout", "place"),
    [
        ("lone", []),
        pytest.param("lone", _PROCESSES, marks=pytest.mark.processes),
        pytest.param("package", _PROCESSES, marks=pytest.mark.processes),
        pytest.param("importlib", _PROCESSES, marks=pytest.mark.processes),
    ],
)
def test_programs_may_stand_in_the_test_s_own_file(
    layout: str, place: list[str], pytester: pytest.Pytester, imported: None
) -> None:
    pytester.makeini(f"[pytest]\n{_LOOP}\n")
    folder = pytester.mkdir("tests")
    path = pytester.makepyfile(test_inline=INLINE)
    path.rename(folder / path.name)
    if layout == "package":
        (folder / "__init__.py").touch()
    mode = ["--import-mode=importlib"] if layout == "importlib" else []
    pytest_of_its_own = pytester.runpytest_subprocess if place else pytester.runpytest_inprocess
    result = pytest_of_its_own(*_LEAN, *mode, *place)
    result.assert_outcomes(passed=1)


@pytest.mark.processes
def test_processes_import_what_pytest_imports(pytester: pytest.Pytester) -> None:
    """A package that only pytest's own `pythonpath` finds."""
    package = pytester.path / "src" / "ours"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "words.py").write_text("WORD = 'word'\n", encoding="utf-8")
    (package / "one.py").write_text(
        "from qnetem import Agent\nfrom .words import WORD\n"
        "class One(Agent):\n    async def run(self): return WORD\n",
        encoding="utf-8",
    )
    pytester.makeini("[pytest]\npythonpath = src\n")
    pytester.makepyfile(
        """
        from ours.one import One

        def test_one(network):
            run = network({"name": "one", "nodes": {"a": {"program": One}}})
            run.assert_result("a", "== 'word'")
        """
    )
    options = (*_LEAN, "--qnetem-processes")
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_the_plugin_costs_a_project_without_networks_nothing() -> None:
    """pytest imports it wherever qnetem is installed."""
    code = (
        "import sys, pytest; before = set(sys.modules); import qnetem.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["qnetem", "qnetem.pytest_plugin"]
