import { argv, env, exit } from 'node:process';
import { startApi } from './api.js';
import { FRAMEWORKS } from './frameworks.js';
import { INSTALLED, prepare, startInstalled } from './installed.js';
import type { Running, Settings } from './settings.js';
import { playStory } from './story.js';

const names = [...Object.keys(FRAMEWORKS), ...Object.keys(INSTALLED)];
const [name = ''] = argv.slice(2);
if (!names.includes(name)) {
  console.error(`Say which: npm run start:other -- ${names.join('|')}`);
  exit(2);
}

const port = Number(env['PORT'] ?? 3000);
const api = await startApi(port);
const service = await startService({ port: port && port + 1, apiDomain: api.origin });
console.log(`nest-sessions API: ${api.origin}`);
console.log(`nest-sessions on ${name}: ${service.origin}`);
await playStory(api.origin, service.origin, (line) => console.log(line));

const close = async (): Promise<void> => {
  await service.close();
  await api.close();
};
if (env['ONCE'] === '1') await close();
else for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close());

async function startService(settings: Settings): Promise<Running> {
  const start = FRAMEWORKS[name];
  if (start !== undefined) return start(settings);
  prepare(name);
  return startInstalled(name, settings);
}
