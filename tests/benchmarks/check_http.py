"""Verify over HTTP on one worker, against a route that does nothing, and against Django's peer.

Run: `python -m tests.benchmarks.check_http [sqlite|postgresql …] [tokens]`

Needs `wrk` (Debian's package). For the peer, Django REST framework's TokenAuthentication on as many
tokens in SQLite, make a virtual environment with tests/benchmarks/requirements.txt and name it in
the environment: `PEER=folder`.

All are served by uvicorn with one worker, and asked by wrk in turn, through 8 connections, each
request with another of 20,000 tokens; then verify at half of its rate, for the tail; then verify
with good tokens again, after 10,000 bad ones from the same address, beside its rate just before.
Processor time a request is what a worker needs of a machine that has other things to do.
"""

import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx2

from lib.domain.token_format import mint
from tests.benchmarks.asked import asked_for
from tests.benchmarks.many_tokens import TOKENS, fill, new_database
from tests.support.directory import MINTING
from tests.support.servers import ROOT, Serving, serving

ROUNDS, SECONDS, CONNECTIONS = 5, 4, 8
GOAL, TAIL_MS = 0.5, 20.0
BAD_TOKENS = 10_000
_TICKS = os.sysconf("SC_CLK_TCK")
_SCRIPT = """
local tokens = {{}}
for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end
local at = 0
request = function()
  at = at % #tokens + 1
  return wrk.format("GET", nil, {{Authorization = "{scheme} " .. tokens[at]}})
end
{more}
"""


class Load(NamedTuple):
    """Requests a second, processor microseconds a request, and the 99th percentile in ms."""

    rate: float
    processor: float
    tail: float


class Target(NamedTuple):
    """A server, the path that is asked, and with what."""

    running: Serving
    path: str
    tokens: Path
    scheme: str = "Bearer"

    def load(self, pause_ms: float = 0) -> Load:
        """Ask for some seconds, with a pause before each request; every answer must be 2xx."""
        more = f"delay = function() return {pause_ms:.0f} end" if pause_ms else ""
        script = self.tokens.with_suffix(".lua")
        script.write_text(_SCRIPT.format(tokens=self.tokens, scheme=self.scheme, more=more))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency", "-s", script]
        before = _processor(self.running)
        told = subprocess.run(
            [*command, f"{self.running.address}{self.path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        spent = _processor(self.running) - before
        assert "Non-2xx" not in told, told
        requests = int(re.search(r"(\d+) requests in", told)[1])
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", told).groups()
        tail = float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
        return Load(requests / SECONDS, spent / requests * 1e6, tail)


def median(loads: list[Load]) -> Load:
    """Return the median of each number."""
    return Load(*map(statistics.median, zip(*loads, strict=True)))


def send_bad_tokens(target: Target) -> None:
    """Ask with 10,000 tokens that are well-formed and unknown; each must be refused."""
    with httpx2.Client(base_url=target.running.address) as client:
        for bad in mint(BAD_TOKENS, MINTING.prefix):
            answer = client.get(target.path, headers={"authorization": f"Bearer {bad}"})
            assert answer.status_code == 401, answer.status_code


def _processor(running: Serving) -> float:
    """Return the seconds of processor time that a process has had."""
    fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def ours(kind: str, tokens: int, folder: Path, stack: ExitStack) -> dict[str, Target]:
    """Start verify on a filled database, and the route that does nothing."""
    url = new_database(kind)
    engine, kept = fill(url, tokens)
    engine.dispose()
    file = folder / "tokens"
    file.write_text("\n".join(kept))
    quiet = "--no-access-log"
    verify = stack.enter_context(serving(url, folder, quiet))
    nothing = stack.enter_context(serving(url, folder, quiet, app="tests.benchmarks.nothing:app"))
    return {"nothing": Target(nothing, "/", file), "verify": Target(verify, "/api/v1/verify", file)}


def peer(tokens: int, folder: Path, stack: ExitStack) -> dict[str, Target]:
    """Start Django REST framework, where there is one."""
    if not os.environ.get("PEER"):
        return {}
    python, file = Path(os.environ["PEER"], "bin", "python"), folder / "peer"
    environment = {"PEER_DATABASE": str(folder / "peer.db")}
    program = ROOT / "tests" / "benchmarks" / "peer.py"
    subprocess.run(
        [python, program, str(tokens), file], env={**os.environ, **environment}, check=True
    )
    running = stack.enter_context(
        serving(
            "sqlite://",
            folder,
            "--no-access-log",
            f"--app-dir={program.parent}",
            app="peer:app",
            python=str(python),
            ready="/",
            **environment,
        )
    )
    return {"peer": Target(running, "/", file, "Token")}


def measure(kind: str, tokens: int) -> None:
    """Print a line for each, with ratios."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets = ours(kind, tokens, folder, stack) | peer(tokens, folder, stack)
        loads: dict[str, list[Load]] = {name: [] for name in targets}
        for _ in range(ROUNDS):
            for name, target in targets.items():
                loads[name].append(target.load())
        medians = {name: median(each) for name, each in loads.items()}
        pause = 1e3 * CONNECTIONS / (medians["verify"].rate / 2)
        half = targets["verify"].load(pause)
        send_bad_tokens(targets["verify"])
        after = median([targets["verify"].load() for _ in range(ROUNDS)])
    limit = medians["nothing"]
    for name, found in medians.items():
        sys.stdout.write(
            f"{kind:10} {name:8} {found.rate:6.0f} a second, {found.rate / limit.rate:.2f} of"
            f" nothing; {found.processor:4.0f} µs of processor,"
            f" {limit.processor / found.processor:.2f}; p99 {found.tail:5.1f} ms\n"
        )
    sys.stdout.write(
        f"{kind:10} verify at {half.rate / medians['verify'].rate:.2f} of its rate:"
        f" p99 {half.tail:.1f} ms (limit {TAIL_MS:.0f}; goal {GOAL} of nothing;"
        f" {tokens:,} tokens, medians of {ROUNDS})\n"
        f"{kind:10} verify after {BAD_TOKENS:,} bad tokens from the same address:"
        f" {after.rate / medians['verify'].rate:.2f} of its rate before,"
        f" {after.processor / medians['verify'].processor:.2f} of its processor time\n"
    )


if __name__ == "__main__":
    for kind, tokens in itertools.product(*asked_for(TOKENS)):
        measure(kind, tokens)
