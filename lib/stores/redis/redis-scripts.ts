import { createHash } from 'node:crypto';

/** A script, with the digest by which a server remembers it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** A row stays so long beyond its end, milliseconds, so that no difference of clocks removes a live one. */
export const KEPT_AFTER_EXPIRY_MS = 86_400_000;
/** How long a server remembers a call that must not happen twice, milliseconds. */
const REMEMBERED_MS = 600_000;

/**
 * The beginning of all scripts. The first line makes Redis refuse a script on a replica, also one that only reads: a replica
 * may lag behind a revocation. `allow-oom` lets a full server go on with the sessions that it has.
 */
const PRELUDE = `
local call = redis.call

-- The beginning of the names of rows, from that of the index ("users") or of the cut-offs ("ended").
local function base()
  return string.sub(KEYS[1], 1, -6)
end

-- expires, created, user, generation
local function facts(text)
  local expires, created, generation, user = string.match(text,
    '^([^%z]*)%z([^%z+]*)%+?(%d*)%z[^%z]*%z[^%z]*%z[^%z]*%z[^%z]*%z([^%z]*)%z')
  return tonumber(expires), tonumber(created), user, tonumber(generation) or 0
end

-- The cut-off of a row's tenant: rows that were created before its time have ended, and those of earlier generations than
-- its own. A new row is of the latest generation.
local cutOffs = {}
local function cutOffOf(name)
  local tenant = string.match(name, '^t:[^:]*:') or 's:'
  if not cutOffs[tenant] then
    local set = call('HMGET', base() .. 'ended', '*', tenant, '#')
    local cutOff = { time = 0, generation = 0, latest = tonumber(set[3] or 0) }
    for i = 1, 2 do
      local time, generation = string.match(set[i] or '0+0', '^(%d+)%+(%d+)$')
      cutOff.time = math.max(cutOff.time, tonumber(time))
      cutOff.generation = math.max(cutOff.generation, tonumber(generation))
    end
    cutOffs[tenant] = cutOff
  end
  return cutOffs[tenant]
end

-- Whether a cut-off has ended a row.
local function isCutOff(name, text)
  local cutOff = cutOffOf(name)
  if cutOff.time == 0 and cutOff.generation == 0 then return false end
  local _, created, _, generation = facts(text)
  return created < cutOff.time or generation < cutOff.generation
end

-- A new row, created at the cut-off at least.
local function afterCutOff(name, text)
  local cutOff = cutOffOf(name)
  if cutOff.time == 0 and cutOff.latest == 0 then return text end
  local expires, created, rest = string.match(text, '^([^%z]*)%z([^%z]*)(%z.*)$')
  local time = string.format('%.0f', math.max(tonumber(created), cutOff.time))
  return expires .. '\\0' .. time .. (cutOff.latest > 0 and '+' .. cutOff.latest or '') .. rest
end

local function nameOf(key)
  return string.sub(key, #base() + 1)
end

-- Writes something, so that a wait for copies covers what was written before, by whichever connection.
local function mark(wanted)
  if wanted == '1' then call('SET', KEYS[1] .. ':waited', '') end
end

-- Whether a name is of a handle whose row must be in the partition with this tag.
local function isHere(name, tag)
  return tag == '' or
    string.find(string.match(name, '[^:]*$'), '^%x%x%x%x%x%x%x%x%-%x%x%x%x%-8' .. tag .. '%x%-') ~= nil
end
`;

function script(body: string, flags = ' flags=allow-oom'): RedisScript {
  const text = `#!lua${flags}${PRELUDE}${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** KEYS cut-offs, row. Returns the row. */
export const FIND = script(`
local text = call('GET', KEYS[2])
return text and not isCutOff(nameOf(KEYS[2]), text) and text`);

/**
 * KEYS index, row, lock; ARGV text, ttl, member, token. An empty member is for an index in another slot, an empty token for an insertion without
 * a lock. Returns 1; 0 if the row exists; -1 if the lock is lost.
 */
export const INSERT = script(
  `
if ARGV[4] ~= '' and call('GET', KEYS[3]) ~= ARGV[4] then return -1 end
if call('EXISTS', KEYS[2]) == 1 then return 0 end
call('SET', KEYS[2], afterCutOff(nameOf(KEYS[2]), ARGV[1]), 'PX', ARGV[2])
if ARGV[3] ~= '' then call('ZADD', KEYS[1], 0, ARGV[3]) end
return 1`,
  '',
);

/**
 * KEYS cut-offs, row; ARGV the condition (hash, data, payload, earliest expiry), the change (hash, previous hash, time of rotation, expiry, kind of key, data,
 * payload), names. An empty argument is an absent member; others begin with "=". Returns nil without a row, else
 * whether the change happened, and the row after it.
 */
export const CHANGE = script(`
local text = call('GET', KEYS[2])
if not text or isCutOff(nameOf(KEYS[2]), text) then return nil end
local row = { string.match(text,
  '^([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z(.*)$') }
local function differs(given, column)
  return given ~= '' and string.sub(given, 2) ~= row[column]
end
if differs(ARGV[1], 5) or differs(ARGV[2], 8) or differs(ARGV[3], 9) or
    (ARGV[4] ~= '' and tonumber(row[1]) < tonumber(string.sub(ARGV[4], 2))) then
  return { 0, text }
end
for i = 12, #ARGV do
  if string.find(row[9], '"' .. ARGV[i] .. '"', 1, true) then return { 0, text } end
end
local columns = { 5, 6, 3, 1, 4, 8, 9 }
for i = 1, 7 do
  local given = ARGV[4 + i]
  if given ~= '' then row[columns[i]] = string.sub(given, 2) end
end
local changed = table.concat(row, '\\0')
if ARGV[8] == '' then
  call('SET', KEYS[2], changed, 'KEEPTTL')
else
  local since = tonumber(row[3]) or tonumber((string.match(row[2], '^[^+]*')))
  call('SET', KEYS[2], changed, 'PX', string.format('%.0f', math.max(tonumber(row[1]) - since, 0) + ${KEPT_AFTER_EXPIRY_MS}))
end
return { 1, changed }`);

/**
 * KEYS index, rows; ARGV action ("look" or "end"), earliest expiry, latest expiry, user, mark, the time before which they were created; empty for any. Returns for each row "" if it is
 * absent, "=" if it does not match, else its time of creation, NUL and its user.
 */
export const ROWS = script(`
local function remove(name, text)
  local _, _, user = facts(text)
  call('DEL', base() .. name)
  call('ZREM', KEYS[1], user .. '\\0' .. name)
end
local results = {}
for i = 2, #KEYS do
  local text = call('GET', KEYS[i])
  local name = nameOf(KEYS[i])
  if not text or isCutOff(name, text) then
    if text and ARGV[1] == 'end' then remove(name, text) end
    results[i - 1] = ''
  else
    local expires, created, user = facts(text)
    if (ARGV[2] ~= '' and expires < tonumber(ARGV[2])) or (ARGV[3] ~= '' and expires > tonumber(ARGV[3])) or
        (ARGV[4] ~= '' and user ~= ARGV[4]) or (ARGV[6] ~= '' and created >= tonumber(ARGV[6])) then
      results[i - 1] = '='
    else
      if ARGV[1] == 'end' then
        remove(name, text)
      end
      results[i - 1] = string.format('%.0f', created) .. '\\0' .. user
    end
  end
end
mark(ARGV[5])
return results`);

/**
 * KEYS index; ARGV tag, user, beginning of names, earliest expiry, action ("look" or "end"), last member of the page before, limit, latest creation or empty. Returns the last
 * member (empty after the last page), the names and times of creation of live rows, and the names that are in other slots.
 */
export const USER_ROWS = script(`
local head = ARGV[2] .. '\\0'
local from = ARGV[6] == '' and '[' .. head .. ARGV[3] or '(' .. ARGV[6]
local members = call('ZRANGE', KEYS[1], from, '(' .. head .. ARGV[3] .. '\\255', 'BYLEX', 'LIMIT', 0, ARGV[7])
local found, foreign, now = {}, {}, tonumber(ARGV[4])
for _, member in ipairs(members) do
  local name = string.sub(member, #head + 1)
  local text = call('GET', base() .. name)
  if text then
    local expires, created, user = facts(text)
    if expires >= now and user == ARGV[2] and (ARGV[8] == '' or created < tonumber(ARGV[8])) and
        not isCutOff(name, text) then
      if ARGV[5] == 'end' then
        call('DEL', base() .. name)
        call('ZREM', KEYS[1], member)
      end
      found[#found + 1] = name
      found[#found + 1] = string.format('%.0f', created)
    end
  elseif isHere(name, ARGV[1]) then
    call('ZREM', KEYS[1], member)
  else
    foreign[#foreign + 1] = name
  end
end
return { #members == tonumber(ARGV[7]) and members[#members] or '', found, foreign }`);

/**
 * KEYS index, row; ARGV tag, text, ttl, member, most, "refuse" or "end-oldest", earliest expiry, beginning of names, users. Returns "ok" and the
 * names of the removed rows; "full", "exists", or "foreign" if rows are in other slots.
 */
export const INSERT_WITHIN = script(
  `
if call('EXISTS', KEYS[2]) == 1 then return { 'exists' } end
local live, now = {}, tonumber(ARGV[7])
for i = 9, #ARGV do
  local head = ARGV[i] .. '\\0'
  local members = call('ZRANGE', KEYS[1], '[' .. head .. ARGV[8], '(' .. head .. ARGV[8] .. '\\255', 'BYLEX')
  for _, member in ipairs(members) do
    local name = string.sub(member, #head + 1)
    local text = call('GET', base() .. name)
    if text then
      local expires, created, user = facts(text)
      if expires >= now and user == ARGV[i] and not isCutOff(name, text) then
        live[#live + 1] = { name = name, created = created, member = member }
      end
    elseif isHere(name, ARGV[1]) then
      call('ZREM', KEYS[1], member)
    else
      return { 'foreign' }
    end
  end
end
local surplus = math.max(0, #live - tonumber(ARGV[5]) + 1)
if surplus > 0 and ARGV[6] == 'refuse' then return { 'full' } end
table.sort(live, function(a, b)
  if a.created ~= b.created then return a.created < b.created end
  return a.name < b.name
end)
local result = { 'ok' }
for i = 1, surplus do
  call('DEL', base() .. live[i].name)
  call('ZREM', KEYS[1], live[i].member)
  result[i + 1] = live[i].name
end
call('SET', KEYS[2], afterCutOff(nameOf(KEYS[2]), ARGV[2]), 'PX', ARGV[3])
call('ZADD', KEYS[1], 0, ARGV[4])
return result`,
  '',
);

/**
 * KEYS index; ARGV tag, latest expiry, last member of the step before, limit. Returns the last member (empty after the last step) and members
 * whose rows are in other slots.
 */
export const SWEEP = script(`
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local members = call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
local foreign, now = {}, tonumber(ARGV[2])
for _, member in ipairs(members) do
  local name = string.match(member, '^[^%z]*%z(.*)$')
  local text = call('GET', base() .. name)
  if not text then
    if isHere(name, ARGV[1]) then call('ZREM', KEYS[1], member) else foreign[#foreign + 1] = member end
  elseif facts(text) <= now or isCutOff(name, text) then
    call('DEL', base() .. name)
    call('ZREM', KEYS[1], member)
  end
end
return { #members == tonumber(ARGV[4]) and members[#members] or '', foreign }`);

/**
 * KEYS index, name of the call; ARGV mark, beginning of the tenant's names or "*", time, whether present rows end, too: "1" or empty.
 * The name lets a repetition after a fail-over do nothing. Returns whether the cut-off is new, 1 or 0.
 */
export const CUT_OFF = script(
  `
mark(ARGV[1])
if not call('SET', KEYS[2], '', 'NX', 'PX', ${REMEMBERED_MS}) then return 0 end
local key = base() .. 'ended'
local time, generation = string.match(call('HGET', key, ARGV[2]) or '0+0', '^(%d+)%+(%d+)$')
if ARGV[4] == '1' then generation = call('HINCRBY', key, '#', 1) end
time = string.format('%.0f', math.max(tonumber(time), tonumber(ARGV[3])))
call('HSET', key, ARGV[2], time .. '+' .. generation)
return 1`,
);

/** KEYS lock; ARGV token. Releases a lock that is still held. */
export const UNLOCK = script(`
if call('GET', KEYS[1]) == ARGV[1] then call('DEL', KEYS[1]) end
return 1`);

/** KEYS keys. Returns names and values in turn. */
export const ALL_KEYS = script(`return call('HGETALL', KEYS[1])`);

/** KEYS keys; ARGV mark, name, value. Returns the value that the name has. */
export const SET_KEY_ONCE = script(
  `
call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
mark(ARGV[1])
return call('HGET', KEYS[1], ARGV[2])`,
  '',
);

/**
 * KEYS keys; ARGV mark, name, value, time, algorithm, earliest time of a key that makes this one superfluous. Returns whether it
 * was added, 1 or 0.
 */
export const ADD_DYNAMIC_KEY = script(
  `
for _, name in ipairs(call('HKEYS', KEYS[1])) do
  local created, algorithm = string.match(name, '^dynamic:(%d+):(.*)$')
  if created == ARGV[4] or
      (algorithm == ARGV[5] and tonumber(created) >= tonumber(ARGV[6])) then
    mark(ARGV[1])
    return 0
  end
end
call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1`,
  '',
);

/** KEYS keys; ARGV mark, time. Removes the rotating keys from before it. Returns their number. */
export const DELETE_DYNAMIC_KEYS = script(`
local removed = 0
for _, name in ipairs(call('HKEYS', KEYS[1])) do
  local created = string.match(name, '^dynamic:(%d+):')
  if created and tonumber(created) < tonumber(ARGV[2]) then removed = removed + call('HDEL', KEYS[1], name) end
end
mark(ARGV[1])
return removed`);
