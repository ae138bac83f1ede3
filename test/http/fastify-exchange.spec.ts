import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import { responseOf } from '../support/wire-server.js';
import { FastifyResponse } from '../../lib/http/exchanges.js';

describe('headers on Fastify', () => {
  it('keeps cookies that middleware set on the raw response, doubles none (S065)', async () => {
    const received = await responseOf('fastify', ({ response }, { res }) => {
      const reply = res as FastifyReply;
      reply.raw.setHeader('Set-Cookie', ['middleware=1']);
      reply.header('set-cookie', 'handler=1');
      response.setHeader('Set-Cookie', [...response.getHeaderValues('set-cookie'), 'ours=1']);
      response.setHeader('Set-Cookie', [...response.getHeaderValues('set-cookie'), 'ours=2']);
      reply.header('set-cookie', 'handler=2');
    });
    expect(received.lines('set-cookie')).toEqual([
      'middleware=1',
      'handler=1',
      'ours=1',
      'ours=2',
      'handler=2',
    ]);
  });

  it('removes a header from the raw response too', async () => {
    const received = await responseOf('fastify', ({ response }, { res }) => {
      (res as FastifyReply).raw.setHeader('anti-csrf', 'x');
      response.removeHeader('anti-csrf');
    });
    expect(received.lines('anti-csrf')).toEqual([]);
  });

  it('takes what middleware wrote through the raw response before the reply existed', async () => {
    const received = await responseOf('fastify', ({ response }, { res }) => {
      const raw: ServerResponse = (res as FastifyReply).raw;
      raw.setHeader('Access-Control-Expose-Headers', 'x-trace');
      response.setHeader(
        'Access-Control-Expose-Headers',
        [...response.getHeaderValues('access-control-expose-headers'), 'front-token'].join(', '),
      );
    });
    expect(received.lines('access-control-expose-headers')).toEqual(['x-trace, front-token']);
  });

  it('does so also where Fastify itself leaves the raw response alone', () => {
    const removed: string[] = [];
    const reply = {
      sent: false,
      raw: {
        headersSent: false,
        getHeader: () => undefined,
        removeHeader: (name: string) => void removed.push(name),
      },
      getHeader: () => undefined,
      header: () => undefined,
      removeHeader: () => undefined,
      code: () => undefined,
      send: () => undefined,
    };
    new FastifyResponse(reply).removeHeader('anti-csrf');
    expect(removed).toEqual(['anti-csrf']);
  });
});
