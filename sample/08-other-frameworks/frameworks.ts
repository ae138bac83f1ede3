import { startExpress } from './express.js';
import { startFastify } from './fastify.js';
import { startHapi } from './hapi.js';
import { startHono } from './hono.js';
import { startKoa } from './koa.js';
import { startLambda } from './lambda-gateway.js';
import type { Running, Settings } from './settings.js';

/** The examples that run in this process, by name. */
export const FRAMEWORKS: Readonly<Record<string, (settings: Settings) => Promise<Running>>> = {
  express: startExpress,
  fastify: startFastify,
  hapi: startHapi,
  hono: startHono,
  koa: startKoa,
  lambda: (settings) => startLambda('2.0', settings),
  'lambda-v1': (settings) => startLambda('1.0', settings),
};
