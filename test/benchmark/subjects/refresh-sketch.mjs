// The least work of a refresh: look the token up, make the next one, sign an access token on the thread pool, write both
// as cookies. No theft detection, no successor for a repeated request, no check of where a request comes from. On bare
// `node:http`, or as a Nest application on the adapter that it is compared on.
import 'reflect-metadata';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { Controller, HttpCode, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { parse } from 'cookie';
import { cookieSetIn, refreshRequest } from './browser-requests.mjs';
import { adapterOf } from './http-subject.mjs';
import { expectOk } from './refresh-subject.mjs';

const signInThreadPool = promisify(sign);
const HOUR_SEC = 3600;
const REFRESH_PATH = '/auth/session/refresh';

/** @param {{ adapter: 'node' | 'express' | 'fastify', signingAlgorithm?: 'RS256' | 'ES256' }} options */
export async function serve({ adapter, signingAlgorithm = 'RS256' }) {
  const sketch = new Sketch(signingAlgorithm);
  return adapter === 'node' ? serveBare(sketch) : serveByNest(sketch, adapter);
}

export async function login(client) {
  return tokensOf(await client.send('POST', '/login'));
}

export async function refresh(client, tokens) {
  return tokensOf(await client.send('POST', REFRESH_PATH, refreshRequest('cookie', tokens)));
}

function tokensOf(response) {
  const refreshToken = cookieSetIn(response.head, 'sRefreshToken');
  expectOk(response, refreshToken);
  return { access: cookieSetIn(response.head, 'sAccessToken'), refresh: refreshToken };
}

class Sketch {
  constructor(algorithm) {
    this.algorithm = algorithm;
    const made =
      algorithm === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = { key: made.privateKey, dsaEncoding: 'ieee-p1363' };
    this.sessions = new Map();
  }

  /** @returns the headers of the response; undefined if the token is not known */
  async respond(path, { cookie = '' }) {
    const session =
      path === '/login' ? { userId: 'user-1', handle: 'h' } : this.take(parse(cookie).sRefreshToken);
    if (session === undefined) return undefined;
    const token = randomBytes(32).toString('base64url');
    this.sessions.set(hashOf(token), session);
    const expires = new Date(Date.now() + HOUR_SEC * 1000).toUTCString();
    const rest = `Expires=${expires}; HttpOnly; SameSite=Lax`;
    return {
      'Set-Cookie': [
        `sAccessToken=${await this.accessToken(session)}; Path=/; ${rest}`,
        `sRefreshToken=${token}; Path=${REFRESH_PATH}; ${rest}`,
      ],
      'front-token': part({ uid: session.userId, ate: Date.now() + HOUR_SEC * 1000, up: {} }),
    };
  }

  take(token = '') {
    const hash = hashOf(token);
    const session = this.sessions.get(hash);
    this.sessions.delete(hash);
    return session;
  }

  async accessToken(session) {
    const now = Math.floor(Date.now() / 1000);
    const head = part({ alg: this.algorithm, typ: 'JWT', kid: 'd-1' });
    const text = `${head}.${part({ sub: session.userId, iat: now, exp: now + HOUR_SEC, handle: session.handle })}`;
    return `${text}.${(await signInThreadPool('sha256', Buffer.from(text), this.key)).toString('base64url')}`;
  }
}

async function serveBare(sketch) {
  const respond = async (request, response) => {
    const headers = await sketch.respond(request.url, request.headers);
    if (headers === undefined) return response.writeHead(401).end();
    response
      .writeHead(200, { ...headers, 'Content-Type': 'application/json', 'Content-Length': 2 })
      .end('{}');
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: async () => server.close() };
}

async function serveByNest(sketch, adapter) {
  class SketchController {
    login(request, response) {
      return this.respond('/login', request, response);
    }

    refresh(request, response) {
      return this.respond(REFRESH_PATH, request, response);
    }

    async respond(path, request, response) {
      const headers = await sketch.respond(path, request.headers);
      if (headers === undefined) throw new Error('There is no such session');
      for (const [name, value] of Object.entries(headers)) response.header(name, value);
      return {};
    }
  }
  Controller()(SketchController);
  for (const [method, path] of [
    ['login', 'login'],
    ['refresh', REFRESH_PATH],
  ]) {
    const descriptor = Object.getOwnPropertyDescriptor(SketchController.prototype, method);
    Post(path)(SketchController.prototype, method, descriptor);
    HttpCode(200)(SketchController.prototype, method, descriptor);
    Req()(SketchController.prototype, method, 0);
    Res({ passthrough: true })(SketchController.prototype, method, 1);
  }
  class AppModule {}
  Module({ controllers: [SketchController] })(AppModule);
  const app = await NestFactory.create(AppModule, await adapterOf(adapter), { logger: false });
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}

function hashOf(token) {
  return createHash('sha256').update(token).digest('hex');
}

function part(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
