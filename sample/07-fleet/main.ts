import { env } from 'node:process';
import { startFleet } from './fleet.js';
import { prepareStore } from './shared-store.js';

const store = await prepareStore(env);
const fleet = await startFleet(Number(env['PORT'] ?? 3000), store);
console.log(`nest-sessions fleet on ${store.name}: ${fleet.origin}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void fleet.close());
