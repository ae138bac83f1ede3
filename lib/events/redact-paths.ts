/**
 * Paths of the headers that carry tokens, for the `redact` option of pino: `nestjs-pino` and `pino-http` log all headers of a
 * request and of its response.
 *
 * @example
 * LoggerModule.forRoot({ pinoHttp: { redact: sessionRedactPaths } })
 * @publicApi
 */
export const sessionRedactPaths: string[] = [
  ...['authorization', 'cookie', 'anti-csrf', 'api-key'].map((name) => `req.headers["${name}"]`),
  ...['set-cookie', 'st-access-token', 'st-refresh-token', 'front-token', 'anti-csrf'].map(
    (name) => `res.headers["${name}"]`,
  ),
];
