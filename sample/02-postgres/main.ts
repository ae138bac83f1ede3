import { env } from 'node:process';
import { startTwoInstances } from './start.js';
import { playStory } from './story.js';

const running = await startTwoInstances(Number(env['PORT'] ?? 3000), env['PG_URL']);
console.log(`nest-sessions on PostgreSQL, instances A and B: ${running.origin}`);
await playStory(running.origin, (line) => console.log(line));

if (env['ONCE'] === '1') await running.close();
else for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void running.close());
