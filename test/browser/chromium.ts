import { env } from 'node:process';
import { chromium, type Browser } from 'playwright-core';

/** The flags for a browser without a window, which talks to the servers of tests only. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the browser that `npm run test:browser` has found. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [...CHROMIUM_FLAGS],
  });
}
