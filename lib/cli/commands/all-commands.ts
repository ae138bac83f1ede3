import type { Command } from '../command.js';
import { auditCommand } from './audit.js';
import { keysList, keysRotate } from './keys.js';
import { migrate } from './migrate.js';
import { sessionsEnd } from './sessions-end.js';
import { sessionsList } from './sessions-list.js';
import { sessionsShow } from './sessions-show.js';
import { stats } from './stats.js';
import { verifyToken } from './verify-token.js';
import { watch } from './watch.js';

/** All commands but the doctor, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  sessionsList,
  sessionsShow,
  sessionsEnd,
  auditCommand,
  watch,
  stats,
  verifyToken,
  keysList,
  keysRotate,
  migrate,
];
