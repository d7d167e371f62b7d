"""Speed, side by side: ``python -m benchmarks [--quick] [--json] [--row NAME ...] [--check] [--out FOLDER]``.

The method:

- The server sends prepared answers. Server and client are two processes, each pinned to its own core.
- Where the platform cannot pin processes, the report says so.
- The CPU of the server is measured in every turn. The report marks turns in which the server may have been the limit.
- Every round starts a fresh process for each client. Inside a round the clients take short turns, A B A B: a slow
  moment of the machine then affects neighbouring turns of all clients.
- Every turn has a new event loop and a new client, and warms up before its clock starts.
- A ratio is taken between neighbouring turns. The table shows the median of the ratios and their quartiles.
- Hand-written rivals check the status and decode the whole reply, as production code must.
- The benchmark checks every answer.
- Calls at a fixed rate are timed from their scheduled start, so that queueing inside a client counts.
- numpy is hidden from every client: matplotlib installs it, and some clients use it where they find it.

A full run takes a quarter of an hour and writes `results/`: ``table.md``, ``results.json`` and two pictures.
``--quick`` takes a minute and skips slow clients. ``--check`` compares ratios, not times, with the committed results.
It measures rows that look slower a second time, and fails if they are slower again.

Modules: `rows` (the list of measurements), `clients` (adapters), `answers` and `server` (the server's side), `worker`
(the measured process), `drivers` (kinds of load), `control` (requests of a worker to the server), `runner` (turns and
rounds), `stats`, `report`, `check`, `pictures`, `process` (pinning and child processes).
"""
