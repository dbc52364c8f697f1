"""One open page: what it looks at, what is sent to it, and what it has drawn."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Final

from vedette_display.budget import LinkBudget, fps_share
from vedette_display.controls import Answer, Controls
from vedette_display.flow import Flow
from vedette_display.gallery import Gallery
from vedette_display.picture import Variant, size_for
from vedette_display.websocket import SocketClosed, WebSocket
from vedette_display.wire import Command, Drawn, Look, WireError, decode, encode_picture

logger = logging.getLogger(__name__)

JUDGE_S: Final = 0.9
MOST_COMMANDS: Final = 4
"""Commands of one page that are being carried out at a time."""
_POLICY_VIOLATION: Final = 1008


class Viewer:
    """Serves one WebSocket.

    ``output``: which output a tile's number stands for; ``controls``: what it may change with, None: it may look only.
    """

    def __init__(
        self,
        socket: WebSocket,
        gallery: Gallery,
        output: Callable[[int], str | None],
        controls: Controls | None = None,
    ) -> None:
        self._socket = socket
        self._gallery = gallery
        self._output = output
        self._controls = controls
        self._commands: set[asyncio.Task[None]] = set()
        self._answers: list[str] = []
        self._flows: dict[int, Flow] = {}
        self._widths: dict[int, int] = {}
        self._overlays = True
        self._budget = LinkBudget()
        self._judged_at = time.monotonic()
        self._state: str | None = None
        self._wake = asyncio.Event()

    def show(self, state: str, streams: str = "{}") -> None:
        """Send a ``state`` message; a newer one takes the place of one that still waits.

        ``streams``: JSON, where outputs can be played, for who may change things.
        """
        link = {"reduced": self._budget.reduced, "fps": self._fps(), "tiles": len(self._flows)}
        own = f'"link":{json.dumps(link)},"controls":{json.dumps(self._controls is not None)}'
        if self._controls is not None:
            own += f',"streams":{streams}'
        self._state = f"{state[:-1]},{own}}}"
        self._wake.set()

    def judge(self, now: float) -> None:
        """Look how the link does, once a second however often it is called."""
        elapsed = now - self._judged_at
        if elapsed < JUDGE_S:
            return
        self._judged_at = now
        if not self._flows:
            return
        share = sum(flow.full_s(now) for flow in self._flows.values()) / len(self._flows) / elapsed
        if self._budget.observe(min(1.0, share)):
            self._pace()

    async def run(self) -> None:
        """Serve until the page goes away."""
        tasks = [asyncio.create_task(work) for work in (self._listen(), self._send(), self._socket.keep_alive())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except SocketClosed as error:
            logger.debug("a page has gone: %s", error)
        except WireError as error:
            logger.warning("a page is sent away: %s", error)
            await self._socket.close(_POLICY_VIOLATION)
        finally:
            for task in (*tasks, *self._commands):
                task.cancel()
            await asyncio.gather(*tasks, *self._commands, return_exceptions=True)
            for flow in self._flows.values():
                self._gallery.detach(flow)
            self._flows = {}

    async def close(self) -> None:
        """Send the page away: the display stops."""
        await self._socket.close()

    async def _listen(self) -> None:
        while True:
            message = decode(await self._socket.receive())
            if isinstance(message, Look):
                self._look(message)
            elif isinstance(message, Command):
                self._command(message)
            else:
                self._drawn(message)

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            answers, self._answers = self._answers, []
            for answer in answers:
                await self._socket.send(answer)
            state, self._state = self._state, None
            if state is not None:
                await self._socket.send(state)
            for number, flow in list(self._flows.items()):
                sent = flow.take(time.monotonic())
                if sent is not None:
                    await self._socket.send(encode_picture(number, sent.picture, kept=sent.kept))

    def _command(self, command: Command) -> None:
        if self._controls is None:
            self._answer(command, Answer(False, "To change things, open the address that `vedette status` prints"))
        elif len(self._commands) >= MOST_COMMANDS:
            self._answer(command, Answer(False, "Too much at once: wait for the changes before"))
        else:
            task = asyncio.create_task(self._carry_out(self._controls, command))
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def _carry_out(self, controls: Controls, command: Command) -> None:
        # Off the loop: the nucleus may be slow, and pictures must not wait for it.
        self._answer(command, await asyncio.to_thread(controls.carry_out, command))

    def _answer(self, command: Command, answer: Answer) -> None:
        self._answers.append(json.dumps({"type": "answer", "id": command.id, **answer._asdict()}))
        self._wake.set()

    def _look(self, look: Look) -> None:
        self._overlays = look.overlays
        self._widths = {entry.tile: entry.width for entry in look.tiles if self._output(entry.tile) is not None}
        for number in [number for number in self._flows if number not in self._widths]:
            self._gallery.detach(self._flows.pop(number))
        for number in self._widths:
            output_id = self._output(number)
            if number not in self._flows and output_id is not None:
                flow = Flow(output_id, self._variant(number), self._fps(), self._wake.set)
                self._flows[number] = flow
                self._gallery.attach(flow)
        self._pace()

    def _drawn(self, drawn: Drawn) -> None:
        flow = self._flows.get(drawn.tile)
        if flow is not None and (sent := flow.drawn(drawn.number, time.monotonic())) is not None:
            self._gallery.drawn(flow, sent)

    def _pace(self) -> None:
        for number, flow in self._flows.items():
            flow.set_pace(self._variant(number), self._fps())

    def _fps(self) -> float:
        return fps_share(len(self._widths)) * self._budget.level.fps_factor

    def _variant(self, number: int) -> Variant:
        level = self._budget.level
        width = size_for(min(self._widths[number], level.max_width), level.max_width)
        return Variant(width, level.quality, self._overlays)
