"""The HTTP server and its rules: parsing, routing, faults, rate limits, the journal of requests."""
