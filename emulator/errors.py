"""Every error qnetem raises on purpose, as one shallow tree.

    QnetemError
    +-- InputError             the user's input is wrong (exit code 2)
    |   +-- TopologyError          a YAML file: names file, line and column
    |   +-- ProgramError           a program cannot be imported or built
    |   +-- MessageError           a body that is not JSON, a damaged body read as good
    |   +-- UnitError              a quantity that cannot be read
    +-- RunError               the run cannot continue; names node, instant, what was awaited
    |   +-- ProgramFailed          a program raised (exit code 1)
    |   +-- StuckError             nothing left to do, a program unfinished (exit code 3)
    |   +-- NodeLost               a node's process died unplanned (exit code 3)
    |   +-- NodeSilent             a node does not report (exit code 3)
    |   +-- Spinning               endless work in no virtual time (exit code 3)
    |   +-- InfrastructureError    broker, sockets, disk (exit code 3)
    |   +-- Interrupted            the user stopped the run (exit code 130)
    +-- OperationError         raised inside a program, at the await of an operation
    |   +-- QubitError             a qubit this node does not hold (any more)
    |   +-- BellMeasurementFailed  one that has not succeeded; both qubits are consumed
    |   +-- LinkError              no such link, or several and no `link=`
    |   +-- RegisterTooLarge       more jointly entangled qubits than the formalism carries
    |   +-- ServiceError           a call of a service that is not there, or has failed
    |   +-- Refused                a call that would break determinism (wall clock, sockets ...)
    |   +-- OutsideError           the outside half of a node has failed, or the inside one has left
    +-- InternalError          our bug (exit code 70)

Errors that cross the wire travel as `(code, fields)`; `OPERATION_ERRORS` is the one table that turns
a code back into a class. A code that is not in the table is an `InternalError`, never an `eval`.
"""

from __future__ import annotations

from typing import Any, ClassVar

#: Behind the headline of an exception that stood alone in an exception group.
IN_A_GROUP = " (in a group of tasks)"


class QnetemError(Exception):
    """Root of everything raised on purpose. `run_folder`: of the run that it ended, if it had begun."""

    exit_code: ClassVar[int] = 70
    run_folder: str = ""


class InputError(QnetemError):
    """The user's input is wrong; the message says what was expected.

    `within`: the expression that was read, and the offset of the part of it that is wrong; None for others.
    """

    exit_code = 2
    within: tuple[str, int] | None = None


class TopologyError(InputError):
    """A topology file is wrong.

    Attributes: `path` (file name), `line`, `column` (both from 1; 0 when unknown), `problem` (text),
    `others` (what else is wrong with the file, by line). `str(error)` reads `file:line:column: problem`.
    """

    def __init__(self, problem: str, path: str = "", line: int = 0, column: int = 0) -> None:
        self.problem, self.path, self.line, self.column = problem, path, line, column
        self.others: list[TopologyError] = []
        place = f"{path}:{line}:{column}: " if line else f"{path}: " if path else ""
        super().__init__(place + problem)


class ProgramError(InputError):
    """A program cannot be imported, or does not take what `with` gives it.

    `path` leads from `with` to what does not fit; `at_key`: the last key of the path itself is wrong.
    """

    def __init__(
        self, problem: str, path: tuple[str | int, ...] = (), at_key: bool = False
    ) -> None:
        self.path, self.at_key = path, at_key
        super().__init__(problem)


class MessageError(InputError):
    """A message body that cannot be sent, or was damaged on the way."""


class UnitError(InputError):
    """A quantity that cannot be read: no unit, an unknown one, or one of another dimension."""


class RunError(QnetemError):
    """The run cannot continue. `node` and `time_ns` say which node and when (node may be empty)."""

    exit_code = 3

    def __init__(self, problem: str, node: str = "", time_ns: int | None = None) -> None:
        self.problem, self.node, self.time_ns = problem, node, time_ns
        super().__init__(problem)


class ProgramFailed(RunError):
    """A program raised; `traceback` is the program's own."""

    exit_code = 1

    def __init__(
        self, problem: str, node: str = "", time_ns: int | None = None, traceback: str = ""
    ) -> None:
        super().__init__(problem, node, time_ns)
        self.traceback = traceback


class StuckError(RunError):
    """No event is left and a program has not finished."""


class NodeLost(RunError):
    """A node's process died unplanned."""


class NodeSilent(RunError):
    """A node's process has not reported for too long in real time."""


class Spinning(RunError):
    """A program, or an exchange of messages, runs without end in no virtual time."""


class InfrastructureError(RunError):
    """Broker, sockets, processes or disk are not as the run needs them."""


class Interrupted(RunError):
    """The run was stopped, and ended without an outcome."""

    exit_code = 130


class OperationError(QnetemError):
    """An operation on the physical world was refused; raised in the program at its await."""

    exit_code = 1
    code: ClassVar[str] = "operation"

    def __init__(self, problem: str = "", **fields: Any) -> None:
        self.fields = fields
        super().__init__(problem or self.describe(fields))

    @staticmethod
    def describe(fields: dict[str, Any]) -> str:
        if list(fields) == ["why"]:
            return str(fields["why"])
        return ", ".join(f"{key}={value}" for key, value in fields.items())


class QubitError(OperationError):
    """A qubit that this node does not hold. Fields: `qubit`, `node`, `why`.

    `why` says how it left this node ("measured at 1.2 ms", "sent to bob at 3 ms"). Where it is now, and
    whether it still is, the node cannot know.
    """

    code = "qubit"

    @staticmethod
    def describe(fields: dict[str, Any]) -> str:
        why = f" ({fields['why']})" if fields.get("why") else ""
        return f"qubit {fields.get('qubit')} is not held by {fields.get('node')}{why}"


class BellMeasurementFailed(OperationError):
    """A Bell measurement that did not succeed; both qubits are consumed. Fields: `qubits`, `node`."""

    code = "bell_measurement"

    @staticmethod
    def describe(fields: dict[str, Any]) -> str:
        qubits = " and ".join(fields.get("qubits") or ())
        return f"{fields.get('node')}: the Bell measurement of {qubits} failed; both are consumed"


class LinkError(OperationError):
    """No link fits, several do, or the link cannot do what is asked. Fields: `node`, `peer`, `why`."""

    code = "link"

    @staticmethod
    def describe(fields: dict[str, Any]) -> str:
        return f"{fields.get('node')} -> {fields.get('peer')}: {fields.get('why')}"


class RegisterTooLarge(OperationError):
    """A joint state with more qubits than the formalism carries. Fields: `qubits`, `limit`."""

    code = "register"

    @staticmethod
    def describe(fields: dict[str, Any]) -> str:
        return (
            f"{fields.get('qubits')} qubits would be jointly entangled, and this formalism carries "
            f"{fields.get('limit')}: measure or discard some first (density_matrix carries 10, "
            "stabilizer 1024 under Clifford gates and Pauli noise)"
        )


class Refused(OperationError):
    """A call that would make the run depend on something other than topology and seed."""

    code = "refused"


class OutsideError(OperationError):
    """Of `self.outside()`: inside, that the outside half has raised; outside, that no reply will come."""

    code = "outside"


class ServiceError(OperationError):
    """A call of a service that the node does not have, that offers no such word, or that has failed."""

    code = "service"


class InternalError(QnetemError):
    """This should never happen: please report it, with the seed and the digest."""


OPERATION_ERRORS: dict[str, type[OperationError]] = {
    cls.code: cls
    for cls in (OperationError, QubitError, LinkError, RegisterTooLarge, Refused, ServiceError)
}


def operation_error(code: str, fields: dict[str, Any]) -> QnetemError:
    """The exception that a wire error `(code, fields)` stands for."""
    cls = OPERATION_ERRORS.get(code)
    if cls is None:
        return InternalError(f"unknown operation error {code!r}: {fields}")
    return cls(**fields)
