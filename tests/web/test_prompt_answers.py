"""Answers leave at once: no part of one waits until the client confirms the part before."""

import asyncio
import socket

from uvicorn import Config


class TestPromptAnswers:
    """The event loop that uvicorn takes, for the dashboard and for the API alike."""

    def test_connection_when_the_port_was_opened_without_a_protocol_does_not_wait(self) -> None:
        """Streamlit and `uvicorn --workers` open it so; asyncio then leaves the wait on.

        Each request on a kept connection took 44 ms.
        """
        no_wait: asyncio.Future[int]

        async def accept_one() -> int:
            nonlocal no_wait
            no_wait = asyncio.get_running_loop().create_future()
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0) as port:
                port.bind(("127.0.0.1", 0))
                server = await asyncio.start_server(_tell, sock=port)
                _, writer = await asyncio.open_connection(*port.getsockname())
                async with asyncio.timeout(10):
                    option = await no_wait
                writer.close()
                server.close()
            return option

        def _tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            no_wait.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with asyncio.Runner(loop_factory=Config(app="").get_loop_factory()) as runner:
            assert runner.run(accept_one())
