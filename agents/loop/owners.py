"""Whose a task, a timer, a callback or a generator is, on a loop that several tenants share.

Owns the context variable that says so. asyncio copies the context into every task and handle, so what a
tenant starts is its own without a word from it. Does not own what an owner means to a node (node/tenants/).
"""

from __future__ import annotations

from contextvars import Context, ContextVar


class Owner:
    """A tenant at work: `name` is "" for the program.

    `caller`: in a call of one tenant to another, the tenant that calls; else None. `foreground`: what is done
    may lead a program on, because it is the program's own, or a call of the program.
    """

    __slots__ = ("caller", "foreground", "name")

    def __init__(self, name: str, caller: str | None = None, foreground: bool = False) -> None:
        self.name, self.caller, self.foreground = name, caller, foreground

    def __repr__(self) -> str:
        called = f" for {self.caller or 'the program'}" if self.caller is not None else ""
        return f"<Owner {self.name or 'the program'}{called}>"


PROGRAM = Owner("", foreground=True)
#: What a context says.
OWNER: ContextVar[Owner] = ContextVar("owner", default=PROGRAM)
#: The owner whose context this is.
current = OWNER.get


def owner_in(context: Context) -> Owner:
    """The owner of what runs in this context."""
    return context.get(OWNER, PROGRAM)


def context_of(owner: Owner, around: Context) -> Context:
    """A copy of `around` in which everything is this owner's."""
    context = around.copy()
    context.run(OWNER.set, owner)
    return context
