import { env } from 'node:process';
import { settingsFor } from './settings.js';
import { startChat } from './start.js';

const settings = await settingsFor(
  env['ADAPTER'],
  Number(env['PORT'] ?? 3000),
  Number(env['ACCESS_TOKEN_SECONDS'] ?? 20),
);
await startChat(settings);
console.log(`nest-sessions chat: ${settings.origin}`);
