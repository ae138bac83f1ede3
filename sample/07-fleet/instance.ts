import { env } from 'node:process';
import { startInstance, type InstanceSettings } from './start-instance.js';

/** One process of the fleet. It ends when the process that started it does. */
const instance = await startInstance(JSON.parse(env['SETTINGS'] ?? '') as InstanceSettings);
process.once('disconnect', () => void instance.close());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined); // the first process decides
process.send?.(instance.port);
