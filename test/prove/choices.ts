import type { Engine } from './engine.js';
import { hasResponse, type Operation } from './operations.js';
import type { AdminAct, OwnerAct, Scenario } from './scenarios.js';
import type { Actor, Choice, Purse, State } from './state.js';

/** The tabs of the browser that can wait for a response at the same time. */
const TABS = 2;
const BROWSER = 'browser';

/** Returns every step that may come next. */
export function choices(state: State, scenario: Scenario, engine: Engine): readonly Choice[] {
  return [
    ...stepsOfOpen(state, engine),
    ...beginnings(state, scenario, engine),
    ...crashes(state, scenario),
    ...(state.left.time > 0 ? scenario.clock.map((ms): Choice => ({ do: 'wait', ms })) : []),
  ];
}

/** Losses matter where somebody goes on afterwards: to the owner and to the administrator. */
function stepsOfOpen({ open, left }: State, engine: Engine): Choice[] {
  return open.flatMap(({ place, actor }, index): Choice[] => {
    const mayLose = left.losses > 0 && (actor === 'owner' || actor === 'admin');
    const point = engine.point(place);
    if (hasResponse(point))
      return [{ do: 'deliver', open: index }, ...(mayLose ? [{ do: 'drop', open: index } as const] : [])];
    // To the engine a read that was done and one that was not are the same.
    const ways = point.call.method === 'findSession' ? (['lose'] as const) : (['lose', 'fail'] as const);
    const lost = ways.map((how) => ({ do: how, open: index }));
    return [{ do: 'reply', open: index }, ...(mayLose ? lost : [])];
  });
}

function beginnings(state: State, scenario: Scenario, engine: Engine): Choice[] {
  const { left, open } = state;
  const begins = (actor: Actor, operation: Operation): Choice[] =>
    instances(state, scenario).map((instance) => ({ do: 'begin', actor, operation, instance }));
  const isBusy = (actor: Actor): boolean => open.some((each) => each.actor === actor);
  const found: Choice[] = [];
  if (left.owner > 0)
    found.push(...ownerActs(state, scenario, engine).flatMap((act) => begins('owner', act)));
  if (left.thief > 0) {
    if (state.thief === undefined) {
      if (state.browser !== undefined) found.push({ do: 'steal' });
    } else if (!isBusy('thief')) {
      found.push(...thiefActs(state.thief).flatMap((act) => begins('thief', act)));
    }
  }
  if (left.admin > 0 && !isBusy('admin')) {
    const name = `c${left.admin}`;
    found.push(...scenario.admin.flatMap((act) => begins('admin', adminAct(act, name))));
  }
  if (left.sweeper > 0 && !isBusy('sweeper')) found.push(...begins('sweeper', { kind: 'sweep' }));
  return found;
}

/** Which instance an operation runs on matters only where they differ or one may still crash. */
function instances({ left, open }: State, { antiCsrf }: Scenario): readonly number[] {
  if (antiCsrf[0] !== antiCsrf[1]) return [0, 1];
  if (left.crashes === 0) return [0];
  return open.length === 0 ? [0] : [0, 1];
}

function ownerActs({ browser, open, left }: State, scenario: Scenario, engine: Engine): Operation[] {
  const mine = open.filter(({ actor }) => actor === 'owner');
  if (browser === undefined || mine.length >= TABS) return [];
  const refreshes = mine.some(({ place }) => engine.operation(place).kind === 'refresh');
  return scenario.owner
    .filter((act) => act !== 'refresh' || !refreshes || !scenario.tabsTakeTurns)
    .map((act) => ownerAct(act, `m${left.owner}`));
}

function ownerAct(act: OwnerAct, name: string): Operation {
  switch (act) {
    case 'refresh':
      return { kind: 'refresh', token: BROWSER };
    case 'verify':
    case 'verify-database':
      return { kind: 'verify', token: BROWSER, checkDatabase: act === 'verify-database' };
    case 'regenerate':
      return { kind: 'regenerate', token: BROWSER, claim: name };
    case 'merge':
      return { kind: 'merge', name };
  }
}

/** The thief uses each of its tokens. */
function thiefActs(purses: readonly Purse[]): Operation[] {
  const isNew = (kind: keyof Purse, place: number): boolean =>
    purses.findIndex((purse) => purse[kind] === purses[place]?.[kind]) === place;
  const places = [...purses.keys()];
  return [
    ...places
      .filter((n) => isNew('refreshToken', n))
      .map((n): Operation => ({ kind: 'refresh', token: String(n) })),
    ...places
      .filter((n) => isNew('accessToken', n))
      .map((n): Operation => ({ kind: 'verify', token: String(n), checkDatabase: false })),
  ];
}

/** Returns an operation with the token in the place of where it is. */
export function withToken(operation: Operation, { browser, thief }: State): Operation {
  if (!('token' in operation)) return operation;
  const purse = operation.token === BROWSER ? browser : thief?.[Number(operation.token)];
  if (purse === undefined) throw new Error(`There are no tokens of ${operation.token}`);
  return { ...operation, token: operation.kind === 'refresh' ? purse.refreshToken : purse.accessToken };
}

function adminAct(act: AdminAct, name: string): Operation {
  return act === 'claim' ? { kind: 'claim', name } : { kind: act };
}

function crashes({ left, open }: State, { antiCsrf }: Scenario): Choice[] {
  if (left.crashes === 0) return [];
  return antiCsrf
    .map((_, instance) => instance)
    .filter((instance) => open.some((each) => each.instance === instance))
    .map((instance) => ({ do: 'crash', instance }));
}
