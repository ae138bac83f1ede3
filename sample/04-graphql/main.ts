import { env } from 'node:process';
import { settingsFor } from './settings.js';
import { startGraphql } from './start.js';
import { playStory } from './story.js';

const settings = await settingsFor(env['ADAPTER'], Number(env['PORT'] ?? 3000));
const app = await startGraphql(settings);
console.log(`nest-sessions with GraphQL: ${settings.origin}/graphql`);
await playStory(settings.origin, (line) => console.log(line));

if (env['ONCE'] === '1') await app.close();
