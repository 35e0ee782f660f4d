"""How the server calls an application (native, ASGI 3, LASGI), and how sync code waits."""
