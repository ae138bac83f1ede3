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

/**
 * The flags with which Chromium binds sessions, to keys in software. A certificate error, even one that is ignored, makes it bind no
 * session without a word (D11).
 *
 * @param hash of the certificate's public key
 * @param input.hasQuota false for tests with cookies of seconds, which need more signatures than Chromium allows (D48)
 */
export function bindingFlags(hash: string, { hasQuota = true } = {}): string[] {
  const feature = hasQuota ? 'DeviceBoundSessions' : 'DeviceBoundSessions:RefreshQuota/false';
  return [
    `--ignore-certificate-errors-spki-list=${hash}`,
    `--enable-features=${feature},EnableBoundSessionCredentialsSoftwareKeysForManualTesting,DeviceBoundSessionsDevTools`,
  ];
}

/** Starts the browser that `npm run test:browser` has found. */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [...CHROMIUM_FLAGS, ...flags],
  });
}
