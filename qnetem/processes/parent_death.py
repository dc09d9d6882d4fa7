"""A child process that ends with its parent, even if the parent is ended by SIGKILL.

Owns the command prefix (`dies_with_parent`) and the small program behind it: this file runs as a script, asks
the kernel for a signal at the parent's death, leaves the terminal, and becomes the command. It imports
only the standard library, so that it starts in milliseconds. It is an exec wrapper rather than `preexec_fn`,
which is unsafe in a process with threads.

The parent starts it in a process group of its own, so that Ctrl-C is for the launcher only. Not in a session:
Linux schedules sessions against each other, and emulator and nodes wake each other up all the time (on a busy
machine lock-step was 1.4 times slower with one session each). What a session would have done beyond that,
`leave_terminal` does.

The signal is SIGKILL. A child that has to clean up asks for another signal, which it ignores until it has set
a handler. Such a child starts even as an orphan: it learns from the end of a file that its parent is gone.

Rules: works on Linux; elsewhere the command outlives its parent. The kernel watches the *thread* that started
the child, so that thread must live as long as the child should. A command that changes its user loses the
binding.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
#: Exit status when the parent had gone before the child was bound, and when the command cannot run.
ORPHANED, NOT_RUNNABLE = 125, 127


def dies_with_parent(command: Sequence[str], at_death: int = signal.SIGKILL) -> list[str]:
    """The command that runs `command`, under the same pid, as a child bound to this process."""
    wrapper = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*wrapper, str(os.getpid()), str(int(at_death)), *command]


def bind_to_parent(parent_pid: int, at_death: int = signal.SIGKILL) -> None:
    """Bind the calling process to its parent; SIGKILL comes at once if the parent has gone already."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # longer than all the rest, and the parent needs it not

    if at_death != signal.SIGKILL:
        signal.signal(at_death, signal.SIG_IGN)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(at_death), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the kernel knew of the signal: then this process has another parent.
    if os.getppid() != parent_pid and at_death == signal.SIGKILL:
        os._exit(ORPHANED)


def leave_terminal() -> None:
    """Give up the controlling terminal, if any: it can neither be asked nor stop this process."""
    import fcntl
    import termios

    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:  # there is none
        return
    try:
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
    except OSError:  # it was closed in this moment
        return
    finally:
        os.close(terminal)


def main(arguments: Sequence[str]) -> None:
    """`parent_death.py PARENT_PID SIGNAL COMMAND ...`: bind this process, then become the command."""
    bind_to_parent(int(arguments[0]), int(arguments[1]))
    leave_terminal()
    command = list(arguments[2:])
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_RUNNABLE)


if __name__ == "__main__":
    main(sys.argv[1:])
