import { env } from 'node:process';
import { startApi } from './api.js';
import { startPage } from './page-server.js';
import { settingsFor } from './settings.js';

const settings = await settingsFor(
  Number(env['PORT'] ?? 3000),
  Number(env['WEBSITE_PORT'] ?? 5173),
  Number(env['ACCESS_TOKEN_SECONDS'] ?? 20),
);
await startApi(settings);
await startPage(settings);
console.log(`nest-sessions website: ${settings.websiteDomain}`);
