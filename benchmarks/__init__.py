"""Speed, side by side: ``python -m benchmarks [--quick] [--json] [--row NAME ...]``.

How a figure comes about, so that it can be trusted:

- A raw-protocol server with prepared answers runs in a process of its own on one core; the measured client runs in a
  process of its own on another. Where a platform cannot pin processes, nothing is pinned and the report says so.
- Every round starts a fresh process per client. Within a round the clients take short turns, A B A B, so that a slow
  moment of the machine meets neighbours and not one client only. Every turn has a fresh event loop and a fresh client
  and warms up before its clock starts.
- A ratio is taken turn by turn between neighbours; the table shows the median of these ratios and their quartiles.
- Rivals written by hand do what a careful person's code must do: check the status and decode the whole reply.

Modules: `rows` (what is measured, as data), `clients` (adapters), `answers` and `server` (the other end), `worker` (the
measured process), `runner` (turns and rounds), `stats`, `report`, `process` (pinning and child processes).
"""
