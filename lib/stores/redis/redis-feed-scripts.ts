import { RECORDS, script } from './redis-script.js';

/** How long a server remembers a call that must not happen twice, milliseconds. */
const REMEMBERED_MS = 600_000;
/** Entries of a stream that one script looks at, so that none blocks the server for long. */
const STREAM_PAGE = 1000;
/** Entries of all streams together, from which on a script reads no further one. */
const READ_TOGETHER = 10 * STREAM_PAGE;
/** How long a record stays that cannot be read, because a newer version may have written it; milliseconds. */
const UNREADABLE_MS = 86_400_000;

/**
 * KEYS index, name of the call; ARGV mark, beginning of the tenant's names or "*", time, whether present rows end, too: "1" or empty, the
 * record or empty, its life, an entry of the audit trail with its kind and the time until which it is kept, or empty. The name lets a repetition after a fail-over do nothing. Returns whether the cut-off is new, 1 or 0.
 */
export const CUT_OFF = script(
  `${RECORDS}
mark(ARGV[1])
if not call('SET', KEYS[2], '', 'NX', 'PX', ${REMEMBERED_MS}) then return 0 end
if ARGV[5] ~= '' then
  record('', ARGV[5])
  announce(ARGV[6])
end
if ARGV[7] ~= '' then call('XADD', base() .. 'audit', '*', 'k', ARGV[8], 'x', ARGV[9], 'j', ARGV[7]) end
local key = base() .. 'ended'
local time, generation = string.match(call('HGET', key, ARGV[2]) or '0+0', '^(%d+)%+(%d+)$')
if ARGV[4] == '1' then generation = call('HINCRBY', key, '#', 1) end
time = string.format('%.0f', math.max(tonumber(time), tonumber(ARGV[3])))
call('HSET', key, ARGV[2], time .. '+' .. generation)
return 1`,
);

/** KEYS index, name of the call; ARGV mark, life, records. Writes records once. Returns whether they are new, 1 or 0. */
export const PUBLISH = script(
  `${RECORDS}
mark(ARGV[1])
if not call('SET', KEYS[2], '', 'NX', 'PX', ${REMEMBERED_MS}) then return 0 end
for i = 3, #ARGV do record('', ARGV[i]) end
announce(ARGV[2])
return 1`,
);

/**
 * KEYS a stream; ARGV for each stream of the same server its name, the id of the last entry that was read and the digest of that
 * entry; empty at the beginning. A server that took over may lack that entry, and then give lower ids to new ones: so where it is
 * gone or another one, everything is read again. Returns whether there may be more, 1 or 0, and for each stream with new entries its
 * number, their last id and its digest, and the fields of each.
 */
export const READ = script(
  `
local function digest(entry)
  return string.sub(redis.sha1hex(table.concat(entry[2], '\\0')), 1, 6)
end
local function entriesFrom(stream, id)
  return call('XRANGE', stream, id, '+', 'COUNT', ${STREAM_PAGE})
end
local results, looked = { 0 }, 0
for i = 1, #ARGV, 3 do
  if looked >= ${READ_TOGETHER} then
    results[1] = 1
    break
  end
  local stream, id, known = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local entries = entriesFrom(stream, id == '' and '-' or id)
  local first = 1
  if id ~= '' then
    local last = entries[1]
    if last and last[1] == id and digest(last) == known then
      first = 2
    else
      entries = entriesFrom(stream, '-')
    end
  end
  looked = looked + #entries
  if #entries == ${STREAM_PAGE} then results[1] = 1 end
  if #entries >= first then
    local last = entries[#entries]
    local found = { (i - 1) / 3, last[1], digest(last) }
    for n = first, #entries do found[#found + 1] = entries[n][2] end
    results[#results + 1] = found
  end
end
return results`,
  ' flags=allow-oom,allow-cross-slot-keys',
);

/** KEYS a stream; ARGV a time. Removes from the oldest record on, up to the first that still matters. Returns whether there may be more, 1 or 0. */
export const SWEEP_RECORDS = script(`
local entries = call('XRANGE', KEYS[1], '-', '+', 'COUNT', ${STREAM_PAGE})
for i, entry in ipairs(entries) do
  local isRead, note = pcall(cjson.decode, entry[2][4] or '')
  local ends = isRead and type(note) == 'table' and tonumber(note.untilMs) or
    tonumber(string.match(entry[1], '^%d+')) + ${UNREADABLE_MS}
  if ends >= tonumber(ARGV[1]) then
    if i > 1 then call('XTRIM', KEYS[1], 'MINID', entry[1]) end
    return 0
  end
end
if #entries == 0 then return 0 end
call('XDEL', KEYS[1], entries[#entries][1])
call('XTRIM', KEYS[1], 'MINID', entries[#entries][1])
return #entries == ${STREAM_PAGE} and 1 or 0`);
