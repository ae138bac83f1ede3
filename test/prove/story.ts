import { hasResponse, type Operation } from './operations.js';
import type { Choice, Open, State, Violation } from './state.js';
import { nowOf } from './state.js';
import type { Scenario } from './scenarios.js';
import type { World } from './world.js';

/** A fault as it is kept in a file: the schedule is what is replayed, the story is for the reader. */
export interface FaultFile {
  readonly model: string;
  readonly property: string;
  readonly message: string;
  readonly story: readonly string[];
  /** The steps, as the model of that name takes them. */
  readonly schedule: readonly object[];
}

/** Goes through a schedule once more and tells it. */
export async function tell(
  world: World,
  schedule: readonly Choice[],
): Promise<{ story: readonly string[]; violation: Violation | undefined }> {
  const story: string[] = [];
  let state = world.first;
  for (const choice of schedule) {
    const line = sentence(choice, state, world);
    const stepped = await world.step(state, choice);
    story.push(`${line}. ${situation(stepped.state)}`);
    if (stepped.violation !== undefined) {
      return { story, violation: stepped.violation };
    }
    ({ state } = stepped);
  }
  return { story, violation: undefined };
}

const WHO = {
  owner: 'a tab of the owner',
  thief: 'the thief',
  admin: 'the administrator',
  sweeper: 'the sweeper',
};

function sentence(choice: Choice, state: State, world: World): string {
  switch (choice.do) {
    case 'begin':
      return `${WHO[choice.actor]} begins to ${verb(choice.operation)}${place(choice.instance, world.scenario)}`;
    case 'steal':
      return 'a thief copies both tokens of the browser';
    case 'wait':
      return `${choice.ms / 1000} s pass`;
    case 'crash':
      return `instance ${choice.instance + 1} crashes, with all that it was doing`;
    case 'deliver':
      return `the response reaches ${subject(state.open[choice.open], world)}: ${response(state.open[choice.open], world)}`;
    case 'drop':
      return `the response to ${subject(state.open[choice.open], world)} is lost: ${response(state.open[choice.open], world)}`;
    default:
      return `the store ${HOW[choice.do]} ${call(state.open[choice.open], world)} of ${subject(state.open[choice.open], world)}`;
  }
}

const HOW = {
  reply: 'does',
  lose: 'does, and the connection breaks before the engine hears of it,',
  fail: 'does not do, because the connection breaks,',
};

function verb(operation: Operation): string {
  switch (operation.kind) {
    case 'refresh':
      return operation.token === 'browser'
        ? 'refresh'
        : `refresh with its tokens no. ${Number(operation.token) + 1}`;
    case 'verify':
      return `send a request${operation.checkDatabase ? ' to a route that checks the database' : ''}`;
    case 'regenerate':
      return `store the claim ${operation.claim} by its access token`;
    case 'merge':
      return `merge ${operation.name} into the session data`;
    case 'claim':
      return `store the claim ${operation.name} by the session handle`;
    case 'revoke':
      return 'revoke the session';
    case 'revoke-user':
      return 'revoke the sessions of the user';
    case 'sweep':
      return 'remove expired sessions';
  }
}

function place(instance: number, { antiCsrf }: Scenario): string {
  const detail = antiCsrf[0] === antiCsrf[1] ? '' : ` (antiCsrf ${antiCsrf[instance]})`;
  return ` at instance ${instance + 1}${detail}`;
}

function subject(open: Open | undefined, world: World): string {
  if (open === undefined) return '?';
  return `${WHO[open.actor]} (${world.engine.operation(open.place).kind})`;
}

function call(open: Open | undefined, world: World): string {
  const point = open && world.engine.point(open.place);
  return point === undefined || hasResponse(point) ? '?' : `the ${point.call.method}`;
}

function response(open: Open | undefined, world: World): string {
  const point = open && world.engine.point(open.place);
  if (point === undefined || !hasResponse(point)) return '?';
  const { status, accessToken, refreshToken } = point.response;
  const tokens = [accessToken && 'a new access token', refreshToken && 'a refresh token'].filter(Boolean);
  return tokens.length === 0 ? status : `${status} with ${tokens.join(' and ')}`;
}

function situation(state: State): string {
  const { session, line, browser } = state;
  const holder =
    browser === undefined
      ? 'the browser is signed out'
      : `the browser has refresh token ${line.indexOf(browser.refreshToken)}`;
  if (session === undefined) return `[no session; ${holder}]`;
  const seconds = (session.expiresAtMs - nowOf(state)) / 1000;
  return `[refresh token ${session.current} is current, the session ends in ${seconds} s; ${holder}]`;
}
