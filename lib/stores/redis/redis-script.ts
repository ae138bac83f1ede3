import { createHash } from 'node:crypto';

/** A script, with the digest by which a server remembers it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** A row stays so long beyond its end, milliseconds, so that no difference of clocks removes a live one. */
export const KEPT_AFTER_EXPIRY_MS = 86_400_000;

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
  if cutOffs.none == nil then cutOffs.none = call('EXISTS', base() .. 'ended') == 0 and { time = 0, generation = 0, latest = 0 } end
  if cutOffs.none then return cutOffs.none end
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

-- The sorted sets of sessions by creation: of all, and of each tenant but the default one.
local function creationSets(name)
  local tenant = string.match(name, '^t:([^:]*):')
  return base() .. 'created', tenant and base() .. 'created:' .. tenant
end

local function noteCreation(name, text)
  local all, ofTenant = creationSets(name)
  local _, created = facts(text)
  call('ZADD', all, created, name)
  if ofTenant then call('ZADD', ofTenant, created, name) end
end

local function forgetCreation(name)
  local all, ofTenant = creationSets(name)
  call('ZREM', all, name)
  if ofTenant then call('ZREM', ofTenant, name) end
end

-- Stores a new row. A partition without sessions has none whose creation was not noted.
local function store(name, text, ttl)
  if call('EXISTS', KEYS[1]) == 0 then call('SET', base() .. 'listed', '') end
  text = afterCutOff(name, text)
  call('SET', base() .. name, text, 'PX', ttl)
  noteCreation(name, text)
  return text
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

/**
 * For scripts that end sessions: the record of an end goes into the partition's stream, in the same step and before the row goes,
 * so that a failure of it leaves the row. A note is JSON, its life is in milliseconds.
 */
export const RECORDS = `
local function record(name, note)
  call('XADD', base() .. 'revoked', '*', 's', name, 'n', note)
end

-- Keeps the stream as long as any record of it matters, and wakes the readers. They find the records without that, too.
local function announce(life)
  local stream = base() .. 'revoked'
  call('PEXPIRE', stream, string.format('%.0f', math.max(call('PTTL', stream), tonumber(life))))
  redis.pcall('PUBLISH', (string.gsub(base(), '{[^}]*}:$', '')) .. 'revoked', '')
end
`;

export function script(body: string, flags = ' flags=allow-oom'): RedisScript {
  const text = `#!lua${flags}${PRELUDE}${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * For scripts that change or end sessions: the record of the audit trail goes into another stream of the partition, in the same step. A note is
 * its kind, its time, the time until which it is kept, and JSON, with NUL in between.
 */
export const AUDIT = `
local function isAudited()
  return call('EXISTS', base() .. 'audit') == 1
end

-- \`text\` is the row; without one its time was over so long ago that the server has removed it.
local function audit(note, name, text, user)
  if not note or note == '' then return end
  local kind, time, keep, details = string.match(note, '^([^%z]*)%z([^%z]*)%z([^%z]*)%z(.*)$')
  local expires, created, owner
  if text then expires, created, owner = facts(text) end
  if kind == 'session.revoked' and (not expires or expires <= tonumber(time)) then kind, details = 'session.expired', '{}' end
  call('XADD', base() .. 'audit', '*', 'k', kind, 'x', keep, 't', time, 's', name, 'u', owner or user,
    'c', created and string.format('%.0f', created) or '', 'e', expires and string.format('%.0f', expires) or '', 'd', details)
end

-- The note of a row that a cut-off had ended before: its reason is not that of the call.
local function ofCutOff(note)
  if not note or note == '' then return note end
  return string.match(note, '^(.*%z)[^%z]*$') .. '{"reason":"ended-before"}'
end
`;
