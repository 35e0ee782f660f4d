"""Lua scripts for Redis: what is one step for all clients of the server (EVALSHA)."""

from __future__ import annotations

__all__ = ["RELEASE", "TAKE"]

# KEYS: an entry. ARGV: its data. Delete the entry if it has this data.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""

# KEYS: a bucket. ARGV: its capacity, and the tokens that it gains in a second. Take a token, and return what is left; a
# negative number is what is missing of a whole token. The time is that of the server, so that the clocks of its clients
# do not matter; one that jumps back adds nothing. A bucket that is full again expires.
TAKE = """
local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = capacity
if kept[1] then
    tokens = math.min(capacity, tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) * per_second)
end
local left = tokens
if tokens >= 1 then
    left = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - left) / per_second * 1000) + 1000)
return string.format('%.9f', tokens - 1)
"""
