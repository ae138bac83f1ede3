import { AUDIT, KEPT_AFTER_EXPIRY_MS, RECORDS, script } from './redis-script.js';

/** KEYS cut-offs, row. Returns the row. */
export const FIND = script(`
local text = call('GET', KEYS[2])
return text and not isCutOff(nameOf(KEYS[2]), text) and text`);

/**
 * KEYS index, row, lock; ARGV text, ttl, member, token, note for the audit trail. An empty member is for an index in another slot, an empty token for an insertion without
 * a lock. Returns 1; 0 if the row exists; -1 if the lock is lost.
 */
export const INSERT = script(
  `${AUDIT}
if ARGV[4] ~= '' and call('GET', KEYS[3]) ~= ARGV[4] then return -1 end
if call('EXISTS', KEYS[2]) == 1 then return 0 end
audit(ARGV[5], nameOf(KEYS[2]), store(nameOf(KEYS[2]), ARGV[1], ARGV[2]))
if ARGV[3] ~= '' then call('ZADD', KEYS[1], 0, ARGV[3]) end
return 1`,
  '',
);

/**
 * KEYS cut-offs, row; ARGV the condition (hash, data, payload, earliest expiry), the change (hash, previous hash, time of rotation, expiry, kind of key, data,
 * payload), note for the audit trail, names. An empty argument is an absent member; others begin with "=". Returns nil without a row, else
 * whether the change happened, and the row after it.
 */
export const CHANGE = script(`${AUDIT}
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
for i = 13, #ARGV do
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
audit(ARGV[12], nameOf(KEYS[2]), changed)
return { 1, changed }`);

/**
 * KEYS index, rows; ARGV action ("look" or "end"), earliest expiry, latest expiry, user, mark, the time before which they were created, note of an end, its life, note for the audit trail; empty for any or
 * none. Returns for each row "" if it is
 * absent, "=" if it does not match, else its time of creation, NUL and its user.
 */
export const ROWS = script(`${RECORDS}${AUDIT}
local hasRecords = false
local function remove(name, text)
  local _, _, user = facts(text)
  call('DEL', base() .. name)
  call('ZREM', KEYS[1], user .. '\\0' .. name)
  forgetCreation(name)
end
local results = {}
for i = 2, #KEYS do
  local text = call('GET', KEYS[i])
  local name = nameOf(KEYS[i])
  if not text or isCutOff(name, text) then
    if ARGV[1] == 'end' then
      if text then
        audit(ofCutOff(ARGV[9]), name, text)
        remove(name, text)
      else
        forgetCreation(name)
      end
    end
    results[i - 1] = ''
  else
    local expires, created, user = facts(text)
    if (ARGV[2] ~= '' and expires < tonumber(ARGV[2])) or (ARGV[3] ~= '' and expires > tonumber(ARGV[3])) or
        (ARGV[4] ~= '' and user ~= ARGV[4]) or (ARGV[6] ~= '' and created >= tonumber(ARGV[6])) then
      results[i - 1] = '='
    else
      if ARGV[1] == 'end' then
        if ARGV[7] ~= '' then
          record(name, ARGV[7])
          hasRecords = true
        end
        audit(ARGV[9], name, text)
        remove(name, text)
      end
      results[i - 1] = string.format('%.0f', created) .. '\\0' .. user
    end
  end
end
if hasRecords then announce(ARGV[8]) end
mark(ARGV[5])
return results`);

/**
 * KEYS index; ARGV tag, user, beginning of names, earliest expiry, action ("look" or "end"), last member of the page before, limit, latest creation or empty, note of an end or empty, its life, note for the audit trail or empty. Returns the last
 * member (empty after the last page), the names and times of creation of live rows, and the names that are in other slots.
 */
export const USER_ROWS = script(`${RECORDS}${AUDIT}
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
        if ARGV[9] ~= '' then record(name, ARGV[9]) end
        audit(ARGV[11], name, text)
        call('DEL', base() .. name)
        call('ZREM', KEYS[1], member)
        forgetCreation(name)
      end
      found[#found + 1] = name
      found[#found + 1] = string.format('%.0f', created)
    end
  elseif isHere(name, ARGV[1]) then
    if not isAudited() then -- else the sweep records that its time was over
      call('ZREM', KEYS[1], member)
      forgetCreation(name)
    end
  else
    foreign[#foreign + 1] = name
  end
end
if ARGV[5] == 'end' and ARGV[9] ~= '' and #found > 0 then announce(ARGV[10]) end
return { #members == tonumber(ARGV[7]) and members[#members] or '', found, foreign }`);

/**
 * KEYS index, row; ARGV tag, text, ttl, member, most, "refuse" or "end-oldest", earliest expiry, beginning of names, note of an end or empty, its life, notes for the audit trail of ended rows and of the new one, or empty, users. Returns "ok" and the
 * names of the removed rows; "full", "exists", or "foreign" if rows are in other slots.
 */
export const INSERT_WITHIN = script(
  `${RECORDS}${AUDIT}
if call('EXISTS', KEYS[2]) == 1 then return { 'exists' } end
local live, now = {}, tonumber(ARGV[7])
for i = 13, #ARGV do
  local head = ARGV[i] .. '\\0'
  local members = call('ZRANGE', KEYS[1], '[' .. head .. ARGV[8], '(' .. head .. ARGV[8] .. '\\255', 'BYLEX')
  for _, member in ipairs(members) do
    local name = string.sub(member, #head + 1)
    local text = call('GET', base() .. name)
    if text then
      local expires, created, user = facts(text)
      if expires >= now and user == ARGV[i] and not isCutOff(name, text) then
        live[#live + 1] = { name = name, created = created, member = member, text = text }
      end
    elseif isHere(name, ARGV[1]) then
      if not isAudited() then
        call('ZREM', KEYS[1], member)
        forgetCreation(name)
      end
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
  if ARGV[9] ~= '' then record(live[i].name, ARGV[9]) end
  audit(ARGV[11], live[i].name, live[i].text)
  call('DEL', base() .. live[i].name)
  call('ZREM', KEYS[1], live[i].member)
  forgetCreation(live[i].name)
  result[i + 1] = live[i].name
end
if ARGV[9] ~= '' and surplus > 0 then announce(ARGV[10]) end
audit(ARGV[12], nameOf(KEYS[2]), store(nameOf(KEYS[2]), ARGV[2], ARGV[3]))
call('ZADD', KEYS[1], 0, ARGV[4])
return result`,
  '',
);

/**
 * KEYS index; ARGV tag, latest expiry, last member of the step before, limit, note for the audit trail or empty. Notes the creation of rows that an older version of the library
 * stores beside this one. Returns the last member (empty after the last step) and members
 * whose rows are in other slots.
 */
export const SWEEP = script(`${AUDIT}
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local members = call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
local foreign, now = {}, tonumber(ARGV[2])
local function forget(name, member)
  call('ZREM', KEYS[1], member)
  forgetCreation(name)
end
for _, member in ipairs(members) do
  local user, name = string.match(member, '^([^%z]*)%z(.*)$')
  local text = call('GET', base() .. name)
  if not text then
    if isHere(name, ARGV[1]) then
      audit(ARGV[5], name, nil, user)
      forget(name, member)
    else
      foreign[#foreign + 1] = member
    end
  elseif facts(text) <= now or isCutOff(name, text) then
    audit(ARGV[5], name, text)
    call('DEL', base() .. name)
    forget(name, member)
  else
    noteCreation(name, text)
  end
end
return { #members == tonumber(ARGV[4]) and members[#members] or '', foreign }`);

/** KEYS lock; ARGV token. Releases a lock that is still held. */
export const UNLOCK = script(`
if call('GET', KEYS[1]) == ARGV[1] then call('DEL', KEYS[1]) end
return 1`);
