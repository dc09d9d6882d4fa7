"""A child process that ends with its parent, even if the parent is ended by SIGKILL.

Owns the command prefix (`dies_with_parent`) and the small program behind it: this file runs as a script, asks
the kernel for a signal at the parent's death, leaves the terminal, and becomes the command. It imports
only the standard library, so that it starts in milliseconds; an exec wrapper rather than `preexec_fn`,
which is unsafe in a process with threads.

Whoever starts it gives it a process group of its own, so that Ctrl-C is for the launcher only. Not a
session: Linux schedules sessions against each other, and emulator and nodes wake each other up all the
time (on a busy machine lock-step came out 1.4 times slower with one session each). What a session would
have done beyond that, `leave_terminal` does.

The signal is SIGKILL. A child that has something to clean up asks for another one; it is ignored until
the child says what to do at it, and the child starts even as an orphan: the end of a file has to tell it.

Rules: works on Linux; elsewhere the command runs unleashed. The kernel watches the *thread* that
started the child, so that one must live as long as the child should. A command that changes its user
loses the leash.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import termios
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
#: Exit status when the parent had gone before the leash was on, and when the command cannot run.
ORPHANED, NOT_RUNNABLE = 125, 127


def dies_with_parent(command: Sequence[str], at_death: int = signal.SIGKILL) -> list[str]:
    """The command that runs `command`, under the same pid, as a child bound to this process."""
    leash = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*leash, str(os.getpid()), str(int(at_death)), *command]


def hold(parent_pid: int, at_death: int = signal.SIGKILL) -> None:
    """Bind the calling process to its parent; SIGKILL comes at once if the parent has gone already."""
    if not sys.platform.startswith("linux"):
        return
    if at_death != signal.SIGKILL:
        signal.signal(at_death, signal.SIG_IGN)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(at_death), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the kernel knew of our wish: then we have a new one.
    if os.getppid() != parent_pid and at_death == signal.SIGKILL:
        os._exit(ORPHANED)


def leave_terminal() -> None:
    """Give up the controlling terminal, if there is one: nothing can be asked there, or stop us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:  # there is none
        return
    try:
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
    except OSError:  # it has been hung up in this moment
        return
    finally:
        os.close(terminal)


def main(arguments: Sequence[str]) -> None:
    """`leash.py PARENT_PID SIGNAL COMMAND ...`: bind this process, then become the command."""
    hold(int(arguments[0]), int(arguments[1]))
    leave_terminal()
    command = list(arguments[2:])
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_RUNNABLE)


if __name__ == "__main__":
    main(sys.argv[1:])
