"""Handles: what one tenant holds of another, and the calls it makes by it.

Owns which words of a service can be called, and whose what happens in a call is. Does not own the words
(they are the service's methods, marked `offered` in service.py).

Rules. A call runs in the task of the caller and in the same step, but as the service: its messages,
operations, timers and tasks are the service's, and a timer that is set in a call of a program counts as one
that may lead the program on. What a call raises is raised at the caller. A call that is under way when its
service fails raises ServiceError.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from ....emulator.errors import ServiceError
from ....emulator.suggestions import did_you_mean
from ...loop.owners import context_of
from ...service import is_offered

if TYPE_CHECKING:
    from ...service import Service
    from .tenant import Tenant


class Services:
    """The services of a node, as one tenant may call them: `self.services.ticker`."""

    def __init__(self, tenants: dict[str, Tenant], caller: Tenant) -> None:
        self._tenants, self._caller = tenants, caller
        self._handles: dict[str, Handle] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._handles.get(name)
        if found is None:
            found = self._handles[name] = Handle(self._tenant(name), self._caller)
        return found

    def __iter__(self) -> Iterator[str]:
        """The names of the services, in the order in which they were started."""
        return iter(self._tenants)

    def of(self, kind: type[Service]) -> Any:
        """The handle of the only service of this class. Raises ServiceError for none, or several."""
        names = [
            name
            for name, tenant in self._tenants.items()
            if tenant.agent is not None and isinstance(tenant.agent, kind)
        ]
        if len(names) != 1:
            which = f"several are: {', '.join(names)}" if names else self._known()
            node = self._caller.welcome.name
            raise ServiceError(f"no service of {node} is the only {kind.__name__}: {which}")
        return getattr(self, names[0])

    def _tenant(self, name: str) -> Tenant:
        found = self._tenants.get(name)
        if found is None:
            hint = did_you_mean(name, list(self._tenants)) or f": {self._known()}"
            raise ServiceError(f"{self._caller.welcome.name} has no service {name!r}{hint}")
        return found

    def _known(self) -> str:
        running = [name for name, tenant in self._tenants.items() if tenant.agent is not None]
        return f"running are {', '.join(running)}" if running else "none is running"

    def __repr__(self) -> str:
        return f"<Services {', '.join(self._tenants) or 'none'}>"


class Handle:
    """One service, as another tenant calls it: its `offered` methods and properties, and nothing else."""

    __slots__ = ("_caller", "_tenant")

    def __init__(self, tenant: Tenant, caller: Tenant) -> None:
        self._tenant, self._caller = tenant, caller

    def __getattr__(self, word: str) -> Any:
        tenant, agent = self._tenant, self._tenant.agent
        if word.startswith("__"):
            raise AttributeError(word)
        if agent is None or tenant.failed:
            raise ServiceError(f"{tenant.where} {_why_not(tenant)}")
        if not is_offered(type(agent), word):
            offered = [each for each in dir(type(agent)) if is_offered(type(agent), each)]
            hint = did_you_mean(word, offered) or f"; it offers {', '.join(offered) or 'nothing'}"
            raise ServiceError(f"{tenant.where} offers no {word!r}{hint}")
        if isinstance(inspect.getattr_static(type(agent), word), property):
            return self._run(getattr, agent, word)
        return self._word(getattr(agent, word))

    def _word(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            result = self._run(method, *arguments, **options)
            if inspect.iscoroutine(result):
                return _awaited(Call(self._tenant, self._caller, result))
            if inspect.isasyncgen(result):
                return Iteration(self._tenant, self._caller, result)
            return result

        call.__name__, call.__doc__ = method.__name__, method.__doc__
        return call

    def _run(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        owner = self._tenant.owner_for(self._caller)
        return context_of(owner, self._tenant.context).run(function, *arguments, **options)

    def __repr__(self) -> str:
        return f"<Handle of {self._tenant.where}>"


def _why_not(tenant: Tenant) -> str:
    if tenant.failed:
        return "has failed"
    return "has not been started yet: name it under `needs:`"


async def _awaited(call: Call) -> Any:
    """A call as a coroutine, which can be made a task."""
    return await call


class Call:
    """A coroutine of a service that another tenant awaits."""

    def __init__(self, tenant: Tenant, caller: Tenant, coroutine: Any) -> None:
        self._tenant, self._coroutine = tenant, coroutine
        self._context = context_of(tenant.owner_for(caller), tenant.context)
        self._awaited: asyncio.Future[Any] | None = None

    def break_off(self) -> None:
        """The service has failed: the caller gets a ServiceError."""
        if self._awaited is not None:
            self._awaited.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        run, coroutine, calls = self._context.run, self._coroutine, self._tenant.calls
        step, value = coroutine.send, None
        calls[self] = None
        try:
            while True:
                self._awaited = run(step, value)
                try:
                    step, value = coroutine.send, (yield self._awaited)
                except GeneratorExit:
                    run(coroutine.close)
                    raise
                except BaseException as error:  # noqa: BLE001 it is the coroutine's to catch
                    step, value = coroutine.throw, error
        except StopIteration as stop:
            return stop.value
        except asyncio.CancelledError as error:
            if self._tenant.failed:
                raise ServiceError(f"{self._tenant.where} has failed in this call") from error
            raise
        finally:
            del calls[self]


class Iteration:
    """An async generator of a service that another tenant iterates."""

    def __init__(self, tenant: Tenant, caller: Tenant, generator: Any) -> None:
        self._tenant, self._caller, self._generator = tenant, caller, generator

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._call(self._generator.__anext__)

    async def aclose(self) -> None:
        """Close it before its end."""
        await self._call(self._generator.aclose)

    async def _call(self, step: Callable[[], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            return await step()

        return await Call(self._tenant, self._caller, inside())
