import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

export const BOTH_ADAPTERS = ['express', 'fastify'] as const;
export type Adapter = (typeof BOTH_ADAPTERS)[number];

/**
 * The servers of a variant (scripts/e2e-variant.mjs) that runs on one: no core and no store knows the server, so that each pair of
 * them shows nothing more.
 */
const OF_VARIANT: Readonly<Record<string, Adapter>> = {
  sqlite: 'fastify',
  postgres: 'express',
  redis: 'fastify',
  'remote-5.0': 'fastify',
  'remote-5.6': 'express',
};
const { E2E_CORE, E2E_CDI } = process.env;
const only = OF_VARIANT[E2E_CDI === undefined ? `${E2E_CORE}` : `${E2E_CORE}-${E2E_CDI}`];

/** The servers of a suite that runs on each. One that compares them takes both in a variant, too. */
export const ADAPTERS: readonly Adapter[] = only === undefined ? BOTH_ADAPTERS : [only];

export function newAdapter(adapter: Adapter): AbstractHttpAdapter {
  return adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}
