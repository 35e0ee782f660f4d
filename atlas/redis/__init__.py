"""The Redis integration: stores that the workers of several machines share.

    from atlas import Application, Cache, RateLimit, Sessions
    from atlas.redis import RedisStore

    store = RedisStore("redis://redis.internal:6379/0", prefix="shop:")
    cache = Cache(store)
    app = Application(routes, middleware=[RateLimit("100/minute", store=store), Sessions(store=store)])

The modules: ``clients`` has a client of redis-py for each event loop; ``store`` is the store; ``scripts`` are the Lua
scripts that make one step of several.

No other package imports this one, so that Atlas runs without redis-py.
"""

from __future__ import annotations

from atlas.redis.store import RedisStore

__all__ = ["RedisStore"]
