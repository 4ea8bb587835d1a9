"""Event loops of single operations, which do what blocks in their own thread.

# Note [Between the steps]
The loop of an operation is alone in its thread, and nobody waits for it but the operation. So whatever blocks, such as
reading from the database, needs no other thread: once nothing else can go on, the loop stops, its thread does all that
is wanted by then, and the loop goes on. Handing each of these to another thread and back took longer than most of them.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


class _Pauses(selectors.DefaultSelector):
    """A selector that stops its loop where it would wait, if there is blocking work to do."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: SteppingLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0 and self.loop is not None and self.loop.wanted:
            self.loop.stop()
            return []
        return super().select(timeout)


class SteppingLoop(asyncio.SelectorEventLoop):
    """An event loop whose executor is its own thread, see Note [Between the steps]."""

    def __init__(self) -> None:
        pauses = _Pauses()
        super().__init__(pauses)
        pauses.loop = self
        self.wanted: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_executor(  # type: ignore[override]  # as asyncio's own
        self, executor: Any, function: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do it in the loop's own thread, whichever executor is named."""
        done: asyncio.Future[T] = self.create_future()
        self.wanted.append((done, function, args))
        return done

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, cancel what it has left behind, and close the loop. Raises what `work` raises."""
        try:
            task = self.create_task(work)
            self._step_until_done(task)
            if left := list(self._tasks):
                for one in left:
                    one.cancel()
                self._step_until_done(asyncio.gather(*left, return_exceptions=True))
            return task.result()
        finally:
            self.close()

    def _step_until_done(self, awaited: asyncio.Future[Any]) -> None:
        awaited.add_done_callback(lambda done: self.stop())
        while not awaited.done():
            self.run_forever()
            while self.wanted and not awaited.done():
                _do(*self.wanted.popleft())


def _do(done: asyncio.Future[T], function: Callable[..., T], args: tuple[Any, ...]) -> None:
    if done.cancelled():
        return
    try:
        done.set_result(function(*args))
    except Exception as error:
        done.set_exception(error)


async def blocking(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks, in the thread that the operation has for the database."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, SteppingLoop):
        return await loop.run_in_executor(None, lambda: function(*args, **kwargs))
    return await sync_to_async(function)(*args, **kwargs)
