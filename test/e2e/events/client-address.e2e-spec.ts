import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { SessionEvents, type SessionEvent } from 'nest-sessions';
import { ADAPTERS, type Adapter } from '../../support/adapters.js';
import { DemoController, HANDLERS } from '../../support/demo.controller.js';
import { HttpClient } from '../../support/http-client.js';
import { sessionModule } from '../../support/test-application.js';

/** Addresses of proxies, as both frameworks take them. */
type TrustedProxies = string | false;

const running: { app: INestApplication; http: HttpClient }[] = [];

function adapterThatTrusts(adapter: Adapter, proxies: TrustedProxies) {
  if (adapter === 'fastify') return new FastifyAdapter({ trustProxy: proxies });
  const express = new ExpressAdapter();
  express.set('trust proxy', proxies);
  return express;
}

/** An application that hears of its clients through some proxies, and how it sees a sign-in. */
async function startBehind(adapter: Adapter, proxies: TrustedProxies) {
  const module = await Test.createTestingModule({
    imports: [await sessionModule()],
    controllers: [DemoController],
    providers: [{ provide: HANDLERS, useValue: {} }],
  }).compile();
  const app = module.createNestApplication(adapterThatTrusts(adapter, proxies), { logger: false });
  await app.init();
  if (adapter === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  await app.listen(0, '127.0.0.1');
  const http = new HttpClient((app.getHttpServer() as { address(): AddressInfo }).address().port);
  running.push({ app, http });
  const events: SessionEvent[] = [];
  app.get(SessionEvents).stream.subscribe((event) => events.push(event));
  return async (headers: Record<string, string | string[]>): Promise<string | undefined> => {
    const response = await http.send({ method: 'POST', path: '/login', headers, body: { userId: 'user-1' } });
    expect(response.status).toBe(201);
    const [event] = events.splice(0);
    if (event?.type !== 'session.created') throw new Error('No session was created');
    return event.ip;
  };
}

afterEach(async () => {
  for (const { app, http } of running.splice(0)) {
    http.close();
    await app.close();
  }
});

describe.each(ADAPTERS)('the address of a client on %s (S075)', (adapter) => {
  it('is the peer of the connection as long as no proxy is trusted, whatever the headers say', async () => {
    const signIn = await startBehind(adapter, false);
    expect(await signIn({})).toBe('127.0.0.1');
    for (const headers of [
      { 'x-forwarded-for': '203.0.113.9' },
      { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' },
      { 'x-real-ip': '203.0.113.9' },
      { forwarded: 'for=203.0.113.9' },
      { 'cf-connecting-ip': '203.0.113.9' },
      { 'true-client-ip': '203.0.113.9' },
      { 'x-client-ip': '203.0.113.9' },
    ]) {
      expect(await signIn(headers)).toBe('127.0.0.1');
    }
  });

  it.each([
    ['one client', '203.0.113.9', '203.0.113.9'],
    ['a client that sent the header itself', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['a second trusted proxy', '203.0.113.9, 127.0.0.2', '203.0.113.9'],
    ['an untrusted proxy on the way', '203.0.113.9, 198.51.100.7, 127.0.0.2', '198.51.100.7'],
    ['a client with IPv6 in capitals', '2001:DB8:0:0::9', '2001:db8::9'],
    ['IPv4 written as IPv6', '::ffff:203.0.113.9', '203.0.113.9'],
    ['IPv4 translated by NAT64', '64:ff9b::203.0.113.9', '203.0.113.9'],
    ['something that is no address', 'unknown', undefined],
    ['an injected line', '203.0.113.9%0d%0aadmin', undefined],
  ])('is what trusted proxies say: %s', async (_case, forwardedFor, expected) => {
    const signIn = await startBehind(adapter, 'loopback');
    expect(await signIn({ 'x-forwarded-for': forwardedFor })).toBe(expected);
  });

  it('is without the port that a proxy writes behind it', async () => {
    const signIn = await startBehind(adapter, 'loopback');
    expect(await signIn({ 'x-forwarded-for': '203.0.113.9:49152' })).toBe('203.0.113.9');
    expect(await signIn({ 'x-forwarded-for': '[2001:db8::9]:49152' })).toBe('2001:db8::9');
  });
});
