"""One attempt on the network. The only room that imports aiohttp."""
