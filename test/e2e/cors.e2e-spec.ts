import { Controller, Delete, Module } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sessionCorsOptions } from '../../lib/http/session-cors-headers.js';

@Controller('orders')
class OrdersController {
  @Delete()
  remove(): string {
    return 'removed';
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('sessionCorsOptions with app.enableCors on %s', (_name, adapter) => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    app = await NestFactory.create(OrdersModule, adapter(), { logger: false });
    app.enableCors(sessionCorsOptions({ origins: ['https://shop.io', 'http://localhost:3000'] }));
    await app.listen(0, '127.0.0.1');
    url = `${await app.getUrl()}/orders`;
  });

  afterAll(() => app.close());

  function preflight(origin: string): Promise<Response> {
    return fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'rid,st-auth-mode',
      },
    });
  }

  it.each(['https://shop.io', 'http://localhost:3000'])(
    'lets %s in with credentials (S071)',
    async (origin) => {
      const { status, headers } = await preflight(origin);
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('access-control-allow-headers')?.split(/, ?/)).toEqual([
        'content-type',
        'rid',
        'fdi-version',
        'anti-csrf',
        'authorization',
        'st-auth-mode',
        'dpop',
      ]);
      expect(headers.get('access-control-allow-methods')).toContain('DELETE');
      expect(headers.get('vary')).toMatch(/origin/i);

      const response = await fetch(url, { method: 'DELETE', headers: { origin } });
      expect(response.headers.get('access-control-allow-origin')).toBe(origin);
    },
  );

  it.each([
    'https://shop.io.evil.com',
    'https://evilshop.io',
    'https://shop.io:8443',
    'http://shop.io',
    'https://sub.shop.io',
    'null',
  ])('reflects nothing to %s (S070, S071)', async (origin) => {
    expect((await preflight(origin)).headers.get('access-control-allow-origin')).toBeNull();
    const response = await fetch(url, { method: 'DELETE', headers: { origin } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});
