"""What the simulator costs: CPU to start, CPU at rest, CPU while 3,000 keys stream at one frame a second, time of a chain.

    python -m benchmarks.simulator [--chain FILE]

CPU is the simulator's own, from its process; figures of a shared machine drift, so they are printed, not asserted.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import psutil

from tests.simulation import Broker, Stream, contracts, running_simulator

KEYS, REQUEST = 3000, 1500
FIELDS = ",".join(map(str, range(56)))


def simulator_process() -> psutil.Process:
    """The child that simulates."""
    children = psutil.Process().children(recursive=True)
    return next(child for child in children if "simulate" in child.cmdline())


def cpu_percent(process: psutil.Process, seconds: float) -> float:
    """Share of one core over a while."""
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return 100 * (sum(process.cpu_times()[:2]) - before) / seconds


def some_keys(broker: Broker, symbol: str) -> list[str]:
    """The nearest KEYS contracts, and how long the last window took."""
    listed = broker.get("/marketdata/v1/expirationchain", symbol=symbol).json()["expirationList"]
    keys: list[str] = []
    for day in sorted({entry["expirationDate"] for entry in listed}):
        began = time.perf_counter()
        page = contracts(broker.chain(symbol, fromDate=day, toDate=day))
        keys += [contract["symbol"] for contract in page]
        if len(keys) >= KEYS:
            print(
                f"chain of {len(page)} contracts: {1000 * (time.perf_counter() - began):.0f} ms with its parsing"
            )
            break
    return keys[:KEYS]


def main() -> None:
    began = time.perf_counter()
    with running_simulator("--rate-limit", "0", *sys.argv[1:]) as url:
        process = simulator_process()
        print(f"ready after {time.perf_counter() - began:.1f} s, {sum(process.cpu_times()[:2]):.2f} s of CPU")
        print(f"at rest: {cpu_percent(process, 5):.1f} % of a core")
        broker = Broker(url)
        keys = some_keys(broker, "$SPX")
        with Stream(broker) as stream:
            for start in range(0, len(keys), REQUEST):
                part = ",".join(keys[start : start + REQUEST])
                stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": part, "fields": FIELDS})
            stream.items(len(keys))
            reading = threading.Thread(target=stream.close_code, args=(60,), daemon=True)
            reading.start()
            time.sleep(1)
            print(f"streaming {len(keys)} keys: {cpu_percent(process, 10):.1f} % of a core")
            print(f"memory: {process.memory_info().rss / 1e6:.0f} MB")
            stream.socket.send(json.dumps(stream.request("ADMIN", "LOGOUT")))
            reading.join(10)


if __name__ == "__main__":
    main()
