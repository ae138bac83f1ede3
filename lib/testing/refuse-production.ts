/**
 * Every entry of the testing door begins with this: whoever holds the kit signs in as anybody.
 *
 * @param entry what was called, for the message
 * @throws {Error} `NODE_ENV` is `production`
 * @see docs/security-requirements.md S108
 */
export function refuseProduction(entry: string): void {
  // oxlint-disable-next-line node/no-process-env -- it is the environment that is asked about, not an option
  const environment = process.env['NODE_ENV'];
  if (environment?.trim().toLowerCase() !== 'production') return;
  throw new Error(
    `${entry} of nest-sessions/testing refuses to work with NODE_ENV=production, because it signs in as anybody. ` +
      'Import nest-sessions/testing in tests only, and run those with NODE_ENV=test.',
  );
}
