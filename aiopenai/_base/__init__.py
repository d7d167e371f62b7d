"""The smallest parts: sentinels, time limits, type aliases, headers, URLs, query strings, lazy names."""
