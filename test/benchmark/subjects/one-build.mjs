// The cost of one build for a start (CPU milliseconds and MiB from the first import to the first session) or for a refresh
// (CPU microseconds, sixteen at once): node one-build.mjs <folder of a build> start|refresh <variant> <file>
const [, , folder, work, variant, file] = process.argv;
const CLIENTS = 16;
const WARM_UP_ROUNDS = 20;
const ROUNDS = 60;

console.log(JSON.stringify(work === 'start' ? await start() : await refresh()));
process.exit();

async function start() {
  const before = process.cpuUsage();
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const sessions = await import(`${folder}/dist/index.js`);
  const cores = {
    remote: () => sessions.remoteCore({ connectionURI: 'http://localhost:9' }),
    'memory-es256': () => sessions.embeddedCore({ signingAlgorithm: 'ES256' }),
    sqlite: () => sessions.embeddedCore({ store: sessions.sqliteStore(file) }),
  };
  const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };
  class AppModule {}
  Module({ imports: [sessions.SessionModule.forRoot({ appInfo, core: cores[variant]() })] })(AppModule);
  const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  if (variant !== 'remote') {
    await app.get(sessions.SessionService).createNewSessionWithoutRequestResponse({ userId: 'user-1' });
  }
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1000, mib: process.memoryUsage().rss / 1024 / 1024 };
}

async function refresh() {
  const { embeddedCore, SessionEvents } = await import(`${folder}/dist/index.js`);
  const clock = { now: () => Date.now() };
  const context = { clock, events: new SessionEvents(), apiDomain: 'http://localhost:1' };
  const core = embeddedCore({ signingAlgorithm: variant }).create(context);
  await core.start();
  const options = { useDynamicSigningKey: true, enableAntiCsrf: false };
  const sessions = Array.from({ length: CLIENTS }, async (_, index) => {
    const input = {
      tenantId: 'public',
      recipeUserId: `user-${index}`,
      userDataInJWT: {},
      userDataInDatabase: {},
    };
    return (await core.createSession({ ...input, ...options }, {})).refreshToken.token;
  });
  let tokens = await Promise.all(sessions);
  const refreshOne = async (refreshToken) => {
    const result = await core.refreshSession({ refreshToken, antiCsrfToken: undefined, ...options }, {});
    return result.refreshToken.token;
  };
  const refreshAll = async () => {
    tokens = await Promise.all(tokens.map(refreshOne));
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await refreshAll();
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) await refreshAll();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / (ROUNDS * CLIENTS) };
}
