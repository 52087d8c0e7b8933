-- SPDX-License-Identifier: Apache-2.0
--
-- limits.lua - one ask of one bucket: the specification is gatewayd/policy/bucket.h, and this does
-- what bucket.c does, to the last digit (tests/unit/cluster/test_limits_lua.c).
--
-- KEYS[1]  the bucket: a text of words, "1 RUN TOKENS LAST" and for each holder "HOLDER SEQ HELD
--          ENDS ASKED". It expires when it would be full and nothing held, or with its window.
-- KEYS[2]  the head of the history
-- ARGV     kind (0 rate, 1 quota), rate, per (ms), burst, period (0 hour, 1 day, 2 week, 3 month),
--          run (of this server), holder, seq, have, back, need, want, not_after (us), returning,
--          spent, cost, cluster (whose state the node has; empty: nobody's)
-- answers  {0, time}: nothing has changed; {-1, time}: nor has it, it is another cluster's Redis; or {1, time, granted, held, life, ask_again, left, next,
--          asking, scarce}
--
-- Numbers are doubles: whatever is kept or answered is an integer below 2^53, and what could be
-- larger is multiplied in parts or has a ceiling. `%d` prints them exactly, tostring would not.

local floor = math.floor
local min, max = math.min, math.max

local TOKEN = 1000000
local SECOND = 1000000
local EXACT = 9007199254740992
local TIME_MOST = 1000000000 * SECOND
local ASKING_TIME = SECOND / 4
local FORGET_TIME = 60 * SECOND
local REST_TIME = 30 * SECOND
local LIFE_LONG = 10 * SECOND
local LIFE_SHORT = SECOND
local AGAIN_LEAST = 20000
local NEAR_END = 50
local FEW = 8
local PLENTY = 32
local WORTH_COUNT = 25
local WORTH_TIME = 5000
local WORTH_BURST = 500
local WORTH_PART = 40
local HOLDERS_MOST = 256
local SPENT_MOST = 1000000000000000
local KEEP_MARGIN = 2 * SECOND
local QUOTA_MARGIN = 60 * SECOND
local DAY = 86400 * SECOND

local function div(a, b)
  return floor(a / b)
end

-- floor(x * n / d) and the remainder, for x and n below 2^53 and d below 2^32; past 2^53 no longer
-- exact but never less than that.
local function scale(x, n, d)
  local r = n % d
  local whole = x * div(n, d) + div(x, d) * r
  local b = x % d
  local high = div(b, 65536) * r
  local low = (high % d) * 65536 + (b % 65536) * r
  return whole + div(high, d) * 65536 + div(low, d), low % d
end

local now
do
  local time = redis.call('TIME')
  now = time[1] * SECOND + time[2]
end

local rate, per, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local is_quota, period = ARGV[1] == '1', tonumber(ARGV[5])
local run, name = ARGV[6], ARGV[7]
local seq, have, back = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local need, want = tonumber(ARGV[11]), tonumber(ARGV[12])
local is_returning, spent = ARGV[14] == '1', tonumber(ARGV[15])
local cost = max(1, tonumber(ARGV[16]))
local is_wanting = want > 0 or need > 0

-- ---- the bucket as it is kept

local tokens, last = 0, 0
local holds, hold = {}, nil
local is_known, is_lost = false, false

local function read()
  local kept = redis.call('GET', KEYS[1])
  if not kept then
    return
  end
  local word = string.gmatch(kept, '%S+')
  if word() ~= '1' then
    return
  end
  is_known = true
  is_lost = word() ~= run
  tokens = tonumber(word())
  last = tonumber(word())
  if is_lost then
    return
  end
  for holder in word do
    local h = { name = holder }
    h.seq = tonumber(word())
    h.held = tonumber(word())
    h.ends = tonumber(word())
    h.asked = tonumber(word())
    holds[#holds + 1] = h
    if holder == name then
      hold = h
    end
  end
end

local function write(keep)
  local words = { string.format('1 %s %d %d', run, tokens, last) }
  for i, h in ipairs(holds) do
    words[i + 1] = string.format('%s %d %d %d %d', h.name, h.seq, h.held, h.ends, h.asked)
  end
  redis.call('SET', KEYS[1], table.concat(words, ' '), 'PX', string.format('%d', keep))
end

-- ---- accruing

local function cap()
  local held = 0
  for _, h in ipairs(holds) do
    held = held + h.held
  end
  return max(0, burst - held) * TOKEN
end

local function accrue_to(to)
  if to <= last then
    return
  end
  local most = cap()
  local made, left_over = scale(to - last, rate * 1000, per)
  if tokens + made >= most then
    tokens, last = most, to
    return
  end
  tokens = tokens + made
  last = to - div(left_over, rate * 1000)
end

local function first_to_end()
  local first
  for _, h in ipairs(holds) do
    if h.held > 0 and h.ends <= now and (not first or h.ends < first.ends) then
      first = h
    end
  end
  return first
end

local function accrue_rate()
  local ended = first_to_end()
  while ended do
    accrue_to(ended.ends)
    ended.held = 0
    ended = first_to_end()
  end
  accrue_to(now)
  last = min(last, now)
  tokens = min(tokens, cap())
end

-- Days since the epoch of the first of the month that `days` is in, and of the next. Years begin in
-- March here, so that the leap day is a year's last.
local function month(days)
  local shifted = days + 719468
  local era = div(shifted, 146097)
  local of_era = shifted % 146097
  local year = div(of_era - div(of_era, 1460) + div(of_era, 36524) - div(of_era, 146096), 365)
  local of_year = of_era - (365 * year + div(year, 4) - div(year, 100))
  local number = div(5 * of_year + 2, 153)
  local first = days - (of_year - div(153 * number + 2, 5))
  local lengths = { 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31 }
  local length = lengths[number + 1]
  if not length then
    local y = year + era * 400 + 1
    length = (y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)) and 29 or 28
  end
  return first, first + length
end

local function window()
  local days = div(now, DAY)
  if period == 0 then
    local start = now - now % (3600 * SECOND)
    return start, start + 3600 * SECOND
  elseif period == 1 then
    return days * DAY, (days + 1) * DAY
  elseif period == 2 then
    local monday = days - (days + 3) % 7
    return monday * DAY, (monday + 7) * DAY
  end
  local first, following = month(days)
  return first * DAY, following * DAY
end

local function accrue_quota()
  local start = window()
  local is_new = start > last
  for _, h in ipairs(holds) do
    if is_new or h.ends <= now then
      h.held = 0
    end
  end
  if is_new then
    tokens, last = 0, start
  end
end

local function accrue()
  for _, h in ipairs(holds) do
    h.ends = min(h.ends, now + LIFE_LONG)
    h.asked = min(h.asked, now)
  end
  if is_quota then
    accrue_quota()
  else
    accrue_rate()
  end
end

-- ---- what an ask changes

local function know()
  if is_known and not is_lost then
    return
  end
  if not is_quota then
    if not is_known then
      tokens = burst * TOKEN
    end
    last = now
  end
end

local function forget_old_holds()
  local kept = {}
  for _, h in ipairs(holds) do
    if h.held > 0 or h.asked + FORGET_TIME >= now then
      kept[#kept + 1] = h
    elseif h == hold then
      hold = nil
    end
  end
  holds = kept
end

local function correct()
  local before = hold.held
  hold.held = min(have, before)
  local returned = min(back, before - hold.held)
  if is_quota then
    tokens = max(0, tokens - returned + min(spent, SPENT_MOST))
  else
    tokens = min(tokens + returned * TOKEN, cap())
  end
end

local function left()
  if is_quota then
    return max(0, burst - tokens)
  end
  return div(tokens, TOKEN)
end

local function us_for(count)
  local us, left_over = scale(count, per * 1000, rate)
  if left_over > 0 then
    us = us + 1
  end
  return min(us, TIME_MOST)
end

-- How many requests are worth an ask.
local function worth()
  local most = div(burst, cost)
  if most >= WORTH_BURST then
    local comes_in = div(div(rate * WORTH_TIME, 1000 * per), cost)
    return max(WORTH_COUNT, min(comes_in, div(most, WORTH_PART)))
  end
  local small = div(WORTH_COUNT * most * most, WORTH_BURST * WORTH_BURST)
  return max(1, div(most, WORTH_PART), small)
end

local function share_of(count, asking)
  return max(div(count, asking), count > 0 and 1 or 0)
end

-- Until there are so many, of which some are there.
local function time_to(count, there)
  local begun = div((there % TOKEN) * per, rate * 1000)
  return max(1, us_for(max(1, count - div(there, TOKEN))) - begun)
end

local function again_after(asking, there)
  local count = worth()
  local requests = div(div(there, TOKEN), cost)
  if share_of(requests, asking) >= count then
    return 0
  end
  local wanted = min(count * (2 * asking - 1) * cost, burst)
  local us = min(time_to(wanted, there), div(us_for(burst), 3))
  return requests > 0 and us > SECOND and 0 or us
end

local function count_asking()
  local count = 0
  local again = is_quota and SECOND or again_after(1, 0)
  local since = now - min(REST_TIME, max(ASKING_TIME, div(again * 3, 2)))
  for _, h in ipairs(holds) do
    if h.asked > since then
      count = count + 1
    end
  end
  return max(count, 1)
end

local function is_few(share)
  return share < FEW and (is_quota or share >= worth())
end

-- How many requests' to hold in all, for how long, whether it is scarce, and all that can be had.
local function size(count, asking)
  local wanted = div(want, cost)
  local half = div(div(burst, cost), 2)
  local share = share_of(count, asking)
  local needed = min(div(need + cost - 1, cost), share)
  local soon = min(div(wanted, 100), is_few(share) and div(share, 2) or share)
  local near = max(1, min(NEAR_END, div(half, asking)))
  if share <= near then
    local most = max(needed, soon)
    return most, LIFE_SHORT, 1, is_wanting and most == share
  end
  if count > half and count >= PLENTY then
    return max(needed, min(wanted, div(count, 8))), LIFE_LONG, 0, false
  end
  soon = max(min(div(wanted, 100), NEAR_END), div(wanted, 200))
  return max(needed, min(soon, max(near, div(share, 2)))), LIFE_SHORT, 0, false
end

local function again_of(asking)
  if is_quota then
    return left() > 0 and 0 or SECOND
  end
  return again_after(asking, tokens)
end

local function next_request()
  if is_quota then
    local _, ends = window()
    return ends - now
  end
  return time_to(cost, tokens)
end

local function grant()
  local count = div(left(), cost)
  local asking = count_asking()
  local most, life, scarce, is_share = size(count, asking)
  local granted = max(0, min(most - div(hold.held, cost), count)) * cost
  tokens = tokens + (is_quota and granted or -granted * TOKEN)
  hold.held = hold.held + granted
  local following = next_request()
  if is_quota then
    life = min(life, following)
  end
  local again = is_share and again_of(asking) or 0
  if granted == 0 and hold.held < need then
    again = max(again, AGAIN_LEAST)
  end
  hold.ends = now + life
  return { 1, now, granted, hold.held, life, again, left(), following, asking, scarce }
end

local function keep_time()
  if is_quota then
    return next_request() + QUOTA_MARGIN
  end
  local ends = now
  for _, h in ipairs(holds) do
    if h.held > 0 then
      ends = max(ends, h.ends)
    end
  end
  return min(ends - now + us_for(burst - div(tokens, TOKEN)) + KEEP_MARGIN, TIME_MOST)
end

if ARGV[17] ~= '' then
  local cluster = redis.call('HGET', KEYS[2], 'cluster')
  if cluster and cluster ~= ARGV[17] then
    return { -1, now }
  end
end
read()
if now > tonumber(ARGV[13]) or (hold and seq <= hold.seq) then
  return { 0, now }
end
know()
if is_returning and not is_quota then
  last = max(last, now)
end
accrue()
forget_old_holds()
if not hold then
  if #holds >= HOLDERS_MOST then
    return { 0, now }
  end
  hold = { name = name, seq = 0, held = 0, ends = 0, asked = 0 }
  holds[#holds + 1] = hold
end
correct()
hold.seq, hold.asked = seq, is_wanting and now or now - REST_TIME
local answer = grant()
write(div(keep_time() + 999, 1000))
return answer
