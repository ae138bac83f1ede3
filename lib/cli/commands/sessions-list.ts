import { isSet, readWholeNumber, type Command } from '../command.js';
import { EXIT } from '../io.js';
import { countText, jsonText, tableText } from '../output.js';
import {
  CONDITION_OPTIONS,
  findSessions,
  SESSION_COLUMNS,
  sessionConditions,
  sessionJson,
} from '../session-conditions.js';

const DEFAULT_LIMIT = 50;

export const sessionsList: Command = {
  name: 'sessions list',
  summary: 'Lists live sessions, the newest first.',
  options: {
    ...CONDITION_OPTIONS,
    limit: { value: '<number>', text: `at most so many (default ${DEFAULT_LIMIT})` },
  },
  run: async (call) => {
    const limit = readWholeNumber(call, 'limit', [1, 1_000_000]) ?? DEFAULT_LIMIT;
    const conditions = sessionConditions(call);
    const { sessions, hasMore } = await findSessions(await call.open(), conditions, limit, call.io);
    const { stdout } = call.io;
    if (isSet(call, 'json')) stdout(jsonText({ sessions: sessions.map(sessionJson), hasMore }));
    else if (sessions.length === 0) stdout('No session was found.\n');
    else {
      const more = hasMore
        ? `There are more than these ${countText(sessions.length)}: --limit shows them.\n`
        : '';
      stdout(`${tableText(SESSION_COLUMNS, sessions, call.io)}${more}`);
    }
    return sessions.length === 0 ? EXIT.nothing : EXIT.done;
  },
};
