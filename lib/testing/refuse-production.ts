/**
 * Every entry of the testing door calls this first, because the kit can sign in as any user.
 *
 * @param entry name of the caller, for the message
 * @throws {Error} `NODE_ENV` is `production`
 * @see docs/security-requirements.md S108
 */
export function refuseProduction(entry: string): void {
  // oxlint-disable-next-line node/no-process-env -- the environment itself is checked, not an option
  const environment = process.env['NODE_ENV'];
  if (environment?.trim().toLowerCase() !== 'production') return;
  throw new Error(
    `${entry} of nest-sessions/testing refuses to work with NODE_ENV=production, because it signs in as any user. ` +
      'Import nest-sessions/testing in tests only, and run those with NODE_ENV=test.',
  );
}
