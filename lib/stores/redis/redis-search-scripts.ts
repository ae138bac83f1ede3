import { script } from './redis-script.js';

/**
 * KEYS index; ARGV ending of the sorted set's name, where to begin ("newest", "at", "before" or "from"), time, name, earliest creation,
 * earliest expiry, beginning of names, most rows that are returned or "count", most that are looked at.
 *
 * Goes through the sessions by creation, the newest first, those of one time by name. It begins after the session of a time and a
 * name, which may be gone ("at"), at those older than a time ("before"), or not newer ("from"). Returns "unlisted" if the index does
 * not have all sessions yet; else the name and the time of the last one that it looked at, whether there may be more, 1 or 0, how
 * many it looked at, the number of live ones among them, and their names and texts in turn.
 */
export const SEARCH = script(`
if call('EXISTS', base() .. 'listed') == 0 then return { 'unlisted' } end
local set = base() .. 'created' .. ARGV[1]

-- A session that is gone is put back for a moment, so that its place is found in the server's own order.
local function placeAfter(time, name)
  local rank = call('ZREVRANK', set, name)
  if rank then return rank + 1 end
  call('ZADD', set, time, name)
  rank = call('ZREVRANK', set, name)
  call('ZREM', set, name)
  return rank
end

local rank = 0
if ARGV[2] == 'at' then rank = placeAfter(ARGV[3], ARGV[4]) end
if ARGV[2] == 'before' then rank = call('ZCOUNT', set, ARGV[3], '+inf') end
if ARGV[2] == 'from' then rank = call('ZCOUNT', set, '(' .. ARGV[3], '+inf') end
local since, now, beginning, isCount = ARGV[5] == '-inf' and -math.huge or tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8] == 'count'
local most = tonumber(ARGV[9])
local left = most
local step = isCount and left or tonumber(ARGV[8])
local result, count = { '', '', 0, 0, 0 }, 0
local function done(hasMore)
  result[3], result[4], result[5] = hasMore, most - left, count
  return result
end
while left > 0 do
  local members = call('ZRANGE', set, rank, rank + math.min(step, left) - 1, 'REV', 'WITHSCORES')
  for i = 1, #members, 2 do
    local name, time = members[i], members[i + 1]
    if tonumber(time) < since then return done(0) end
    result[1], result[2], left = name, time, left - 1
    local text = call('GET', base() .. name)
    if text and facts(text) >= now and string.sub(name, 1, #beginning) == beginning and not isCutOff(name, text) then
      count = count + 1
      if not isCount then
        result[#result + 1] = name
        result[#result + 1] = text
        if count == step then return done(1) end
      end
    end
  end
  if #members == 0 then return done(0) end
  rank = rank + #members / 2
end
return done(1)`);

/**
 * KEYS index; ARGV last member of the step before, limit. Notes the creation of sessions that an older version of the library stored. Returns the
 * last member; empty after the last step, and then the index has all sessions.
 */
export const LIST = script(
  `
local members = call('ZRANGE', KEYS[1], ARGV[1] == '' and '-' or '(' .. ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local name = string.match(member, '^[^%z]*%z(.*)$')
  local text = call('GET', base() .. name)
  if text then noteCreation(name, text) end
end
if #members == tonumber(ARGV[2]) then return members[#members] end
call('SET', base() .. 'listed', '')
return ''`,
  '',
);
