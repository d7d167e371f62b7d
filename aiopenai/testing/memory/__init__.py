"""The objects that the server keeps between requests."""
