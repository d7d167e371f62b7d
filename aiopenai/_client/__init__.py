"""The async client, the blocking client with its loops, the module client, and their configuration."""
