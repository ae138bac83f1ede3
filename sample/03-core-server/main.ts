import { env } from 'node:process';
import { settingsFrom } from './settings.js';
import { startCoreServer } from './start.js';

const settings = settingsFrom(env);
const core = await startCoreServer(settings);
console.log(
  `nest-sessions core: ${core.uri} (${settings.store.kind}, ${settings.apiKeys?.length ?? 0} API keys)`,
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void core.close());
