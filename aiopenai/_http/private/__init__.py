"""The parts of aiohttp that aiohttp does not promise to keep, each with its reason, its figure and its check.

No other module uses a private name of aiohttp, or of the transports of asyncio. `examine` tries the parts of the direct
transport before its first request and raises UnfitError where the installed aiohttp differs; the general transport,
which needs none of them, then takes over. Figures are CPU of the client for a bare chat call, 100 at once, in multiples
of a protocol that knows only its own answer (26 us on a quiet core). A `ClientSession` with every option tuned: 3.2.

- parser.py: the C parser, kept for the life of a connection instead of made per request (1.4), and bodies
  with short methods, which the parser calls per chunk: a stream of 1,000 chunks costs 1.0 instead of 1.8 ms.
- connector.py: connections for protocols of our own, held by our pool between calls (1.8 -> 1.4), and hooks
  around the queue and the opening of connections, where limits of time apply.
- session.py: for the general transport a protocol with one timer per connection instead of two per request, and the
  question whether `ClientSession` is as aiohttp wrote it.
- examine.py: the checks.
"""
