"""A sign-in proxy: the front end that names whoever comes through it."""

import re
import socket
import threading
from contextlib import suppress


class SignInProxy:
    """A sign-in proxy on this machine: it names everybody who comes through it.

    `lines` are the header lines that it adds to each request.
    """

    lines = b""

    def __init__(self, to: str) -> None:
        self._to = ("localhost", int(to.rsplit(":", 1)[1]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # the browser may be gone
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = client.recv(65536)
                if not chunk:  # a browser opens more connections than it uses
                    return
                head += chunk
            with socket.create_connection(self._to) as server:
                server.sendall(self._with_lines(head))
                back = threading.Thread(target=_pump, args=(client, server), daemon=True)
                back.start()
                _pump(server, client)
                back.join()

    def _with_lines(self, head: bytes) -> bytes:
        first, rest = head.split(b"\r\n", 1)
        if b"upgrade: websocket" not in rest.lower():
            rest = re.sub(rb"(?i)connection: [^\r]*\r\n", b"", rest)
            rest = b"Connection: close\r\n" + rest
        return first + b"\r\n" + self.lines + rest


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends; then the other way ends, too."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
