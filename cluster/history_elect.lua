-- SPDX-License-Identifier: Apache-2.0
-- Who puts the state back into a Redis that has lost it: the node whose history is the newest of
-- those that say so within a while.
-- KEYS: lock. ARGV: not-after, token, revision, how long others may say so (ms), lifetime (ms)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if now > tonumber(ARGV[1]) then
    return { 'late' }
end
local lock = redis.call('HMGET', KEYS[1], 'token', 'revision', 'begin', 'begun')
if not lock[1] then
    redis.call('HSET', KEYS[1], 'token', ARGV[2], 'revision', ARGV[3],
        'begin', string.format('%d', now + ARGV[4] * 1000), 'begun', '0')
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    return { 'wait' }
end
local is_mine = lock[1] == ARGV[2]
if not is_mine and lock[4] == '0' and tonumber(lock[2]) < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'token', ARGV[2], 'revision', ARGV[3])
    is_mine = true
end
if not is_mine then
    return { 'other' }
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if now < tonumber(lock[3]) then
    return { 'wait' }
end
redis.call('HSET', KEYS[1], 'begun', '1')
return { 'begin' }
