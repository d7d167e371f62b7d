"""Speed, side by side: ``python -m benchmarks [--quick] [--json] [--row NAME ...] [--check] [--out FOLDER]``.

How a figure comes about, so that it can be trusted:

- A raw-protocol server with prepared answers runs in a process of its own on one core; the measured client runs in a
  process of its own on another. Where a platform cannot pin processes, nothing is pinned and the report says so. The
  server's own CPU is taken with each turn: the report says where it was too busy not to be the limit.
- Every round starts a fresh process per client. Within a round the clients take short turns, A B A B, so that a slow
  moment of the machine meets neighbours and not one client only. Every turn has a fresh event loop and a fresh client
  and warms up before its clock starts.
- A ratio is taken turn by turn between neighbours; the table shows the median of these ratios and their quartiles.
- Rivals written by hand do what a careful person's code must do: check the status and decode the whole reply. Every
  answer is checked by the benchmark as well.
- Calls at a pace are timed from when they were due, so that queueing inside a client counts.
- numpy, which the pictures' library brings along, is hidden from every client.

A full run takes a quarter of an hour and writes `results/`: ``table.md``, ``results.json`` and two pictures.
``--quick`` takes a minute and leaves out what is slow. ``--check`` compares ratios, not times, with the committed
results, measures again what looks slower, and fails where it is slower again.

Modules: `rows` (what is measured, as data), `clients` (adapters), `answers` and `server` (the other end), `worker` (the
measured process), `drivers` (kinds of load), `control` (what a worker asks the server), `runner` (turns and rounds),
`stats`, `report`, `check`, `pictures`, `process` (pinning and child processes).
"""
