import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { BooleanClaim, PrimitiveClaim, UserRoleClaim, type SessionModuleOptions } from 'nest-sessions';
import { SessionSchemaError, type StandardSchema } from 'nest-sessions/core';
import { TestApplication } from '../support/test-application.js';

/** The same content in three libraries: a plan with a default, seats as a whole number, and an optional note. */
const LIBRARIES: Readonly<Record<string, StandardSchema>> = {
  zod: z.strictObject({
    plan: z.enum(['free', 'pro']).default('free'),
    seats: z.object({ limit: z.int() }),
    note: z.string().optional(),
  }),
  valibot: v.strictObject({
    plan: v.optional(v.picklist(['free', 'pro']), 'free'),
    seats: v.object({ limit: v.pipe(v.number(), v.integer()) }),
    note: v.optional(v.string()),
  }),
  arktype: type({
    plan: "'free' | 'pro' = 'free'",
    seats: { limit: 'number.integer' },
    'note?': 'string',
    '+': 'reject',
  }),
};
const SEATS = { seats: { limit: 3 } };
const SECRET = 'a-value-that-no-error-may-show';

type Schemas = NonNullable<SessionModuleOptions['schemas']>;

async function started(schemas: Schemas, more: Partial<SessionModuleOptions> = {}) {
  const { sessions } = await TestApplication.withoutServer()
    .with({ schemas, ...more })
    .start();
  const create = async (accessTokenPayload?: object, sessionDataInDatabase?: object) =>
    sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      ...(accessTokenPayload === undefined ? {} : { accessTokenPayload }),
      ...(sessionDataInDatabase === undefined ? {} : { sessionDataInDatabase }),
    });
  const stored = async (handle: string) => {
    const information = await sessions.getSessionInformation(handle);
    const { iss: _issuer, ...payload } = information?.customClaimsInAccessTokenPayload ?? {};
    return { payload, data: information?.sessionDataInDatabase };
  };
  return { sessions, create, stored };
}

async function refusal(work: Promise<unknown>): Promise<SessionSchemaError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SessionSchemaError) return error;
  throw new Error(`not refused by a schema: ${String(error)}`);
}

describe.each(Object.entries(LIBRARIES))('a payload with a schema of %s', (_library, schema) => {
  it('is checked when the session is created, and gets the defaults of the schema', async () => {
    const { create, stored } = await started({ accessTokenPayload: schema });
    const session = await create(SEATS);
    expect(session.getAccessTokenPayload()).toMatchObject({ plan: 'free', ...SEATS });
    expect((await stored(session.getHandle())).payload).toEqual({ plan: 'free', ...SEATS });
  });

  it.each<[object | undefined, string]>([
    [undefined, 'seats'],
    [{ ...SEATS, plan: SECRET }, 'plan'],
    [{ seats: { limit: SECRET } }, 'seats.limit'],
    [{ seats: { limit: 1.5 } }, 'seats.limit'],
  ])('that does not fit creates no session, and the error names the place alone: %j', async (given, path) => {
    const { create, sessions } = await started({ accessTokenPayload: schema });
    const error = await refusal(create(given));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.issues).toEqual([{ path }]);
    expect(error.message).toBe(
      `The accessTokenPayload does not fit schemas.accessTokenPayload, at: ${path}. It was not stored.`,
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
  });

  it('refuses names that the schema does not know', async () => {
    const { create } = await started({ accessTokenPayload: schema });
    const error = await refusal(create({ ...SEATS, [SECRET]: 1 }));
    expect(['', SECRET]).toContain(error.issues[0]?.path); // libraries place it at the name or at the whole
    const { create: made } = await started({ accessTokenPayload: schema });
    const session = await made(SEATS);
    await refusal(session.mergeIntoAccessTokenPayload({ 'st-role': { v: ['admin'], t: 1 } }));
  });

  it('is checked with what is stored when it is merged, on the session and by handle', async () => {
    const { create, sessions, stored } = await started({ accessTokenPayload: schema });
    const session = await create(SEATS);
    const handle = session.getHandle();
    await session.mergeIntoAccessTokenPayload({ plan: 'pro' });
    await sessions.mergeIntoAccessTokenPayload(handle, { note: 'new' });
    expect((await stored(handle)).payload).toEqual({ plan: 'pro', note: 'new', ...SEATS });
    for (const wrong of [{ plan: SECRET }, { seats: null }, { seats: { limit: SECRET } }]) {
      const onSession = await refusal(session.mergeIntoAccessTokenPayload(wrong));
      const byHandle = await refusal(sessions.mergeIntoAccessTokenPayload(handle, wrong));
      expect(onSession.message + byHandle.message).not.toContain(SECRET);
    }
    await sessions.mergeIntoAccessTokenPayload(handle, { note: null, plan: null });
    expect((await stored(handle)).payload).toEqual({ plan: 'free', ...SEATS });
    expect(await sessions.mergeIntoAccessTokenPayload('unknown-handle', { plan: SECRET })).toBe(false);
  });

  it('does not see claims, of the options or set by hand, nor the names of the session', async () => {
    const PlanClaim = new PrimitiveClaim<string>({ key: 'tier', fetchValue: () => 'gold' });
    const SecondFactor = new BooleanClaim({ key: 'second-factor', fetchValue: () => undefined });
    const { create, stored } = await started(
      { accessTokenPayload: schema },
      {
        claims: [PlanClaim, UserRoleClaim],
        userRoles: { getRolesForUser: () => ['editor'] },
        lifetime: { absoluteSec: 3600 },
      },
    );
    const session = await create(SEATS);
    await session.setClaimValue(SecondFactor, true);
    await session.mergeIntoAccessTokenPayload({ plan: 'pro' });
    expect(await session.getClaimValue(PlanClaim)).toBe('gold');
    expect(await session.getClaimValue(SecondFactor)).toBe(true);
    expect((await stored(session.getHandle())).payload).toMatchObject({
      plan: 'pro',
      'st-role': { v: ['editor'] },
    });
    await expect(session.mergeIntoAccessTokenPayload({ sub: 'eve' })).rejects.toThrow(/cannot carry "sub"/);
  });

  it('checks the session data, when they are created, replaced and merged', async () => {
    const { create, sessions, stored } = await started({ sessionDataInDatabase: schema }, { devices: {} });
    const session = await create({ anything: 'goes' }, SEATS);
    const handle = session.getHandle();
    expect((await stored(handle)).data).toEqual({ plan: 'free', ...SEATS });
    await session.mergeSessionDataInDatabase({ plan: 'pro' });
    await sessions.mergeSessionDataInDatabase(handle, { note: 'x' });
    expect((await stored(handle)).data).toEqual({ plan: 'pro', note: 'x', ...SEATS });
    await refusal(session.mergeSessionDataInDatabase({ seats: null }));
    await refusal(session.updateSessionDataInDatabase({ plan: 'pro' }));
    await refusal(sessions.updateSessionDataInDatabase(handle, undefined));
    expect((await refusal(create({}, { seats: SECRET }))).content).toBe('sessionDataInDatabase');
    await sessions.updateSessionDataInDatabase(handle, SEATS);
    expect((await stored(handle)).data).toEqual({ plan: 'free', ...SEATS });
  });
});

describe('schemas of sessions', () => {
  it('may wait, and may change values', async () => {
    const schema = z.object({ email: z.string().trim().toLowerCase() }).transform(async ({ email }) => ({
      email,
      domain: await Promise.resolve(email.split('@')[1] ?? ''),
    }));
    const { create, stored } = await started({ accessTokenPayload: schema });
    const session = await create({ email: ' ADA@Example.com ' });
    expect((await stored(session.getHandle())).payload).toEqual({
      email: 'ada@example.com',
      domain: 'example.com',
    });
    await session.mergeIntoAccessTokenPayload({ email: 'ada@SHOP.io' });
    expect(session.getAccessTokenPayload()).toMatchObject({ email: 'ada@shop.io', domain: 'shop.io' });
  });

  it('leave names out that they strip, and leave what is stored of them', async () => {
    const { create, stored, sessions } = await started({
      accessTokenPayload: z.object({ plan: z.string() }),
    });
    const session = await create({ plan: 'pro', role: 'admin' });
    await sessions.mergeIntoAccessTokenPayload(session.getHandle(), { role: 'admin', plan: 'free' });
    expect((await stored(session.getHandle())).payload).toEqual({ plan: 'free' });
  });

  it('show their messages on demand, which may have the values', async () => {
    const { create } = await started({
      accessTokenPayload: v.object({ plan: v.number() }),
      showMessages: true,
    });
    const { issues, message } = await refusal(create({ plan: SECRET }));
    expect(issues).toEqual([{ path: 'plan', message: expect.stringContaining(SECRET) }]);
    expect(message).toContain('at: plan (Invalid type: Expected number');
  });

  it('have to return an object that JSON can hold', async () => {
    const { create } = await started({ accessTokenPayload: z.object({}).transform(() => ['a list']) });
    await expect(create({})).rejects.toThrow(
      /^what schemas\.accessTokenPayload returns must be an object with names and JSON values$/,
    );
  });

  it.each([{}, 'z.object', () => undefined, { '~standard': { version: 2, validate: () => ({}) } }, null])(
    'have to be schemas: %p',
    async (wrong) => {
      const start = TestApplication.withoutServer()
        .with({ schemas: { accessTokenPayload: wrong as never } })
        .start();
      await expect(start).rejects.toThrow(
        /schemas\.accessTokenPayload: .* a Standard Schema is expected, z\.object/,
      );
    },
  );
});
