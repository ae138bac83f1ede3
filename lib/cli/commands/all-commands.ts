import type { Command } from '../command.js';
import { auditCommand } from './audit.js';
import { sessionsEnd } from './sessions-end.js';
import { sessionsList } from './sessions-list.js';
import { sessionsShow } from './sessions-show.js';
import { stats } from './stats.js';

/** All commands but the doctor, in the order of the help. */
export const COMMANDS: readonly Command[] = [sessionsList, sessionsShow, sessionsEnd, auditCommand, stats];
