-- SPDX-License-Identifier: Apache-2.0
-- One part of an entry that is too big for one command; of no use unless it is committed soon.
-- KEYS: body. ARGV: not-after, number of the part, items, lifetime (ms)
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[1]) then
    return { 'late' }
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'staged' }
