// express-session in memory, a new session id with each request: the nearest it has. No tokens that verify without the
// store, no rotation, no theft detection.
import express from 'express';
import session from 'express-session';
import { headerOf } from './keep-alive-client.mjs';
import { expectOk } from './refresh-subject.mjs';

export async function serve() {
  const app = express();
  app.use(session({ secret: 'benchmark', resave: false, saveUninitialized: false }));
  app.post('/login', (request, response) => {
    request.session.userId = 'user-1';
    response.json({});
  });
  app.post('/refresh', (request, response, next) => {
    const { userId } = request.session;
    if (userId === undefined) return response.sendStatus(401);
    request.session.regenerate((error) => {
      if (error) return next(error);
      request.session.userId = userId;
      response.json({});
    });
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: server.address().port, close: async () => server.close() };
}

export async function login(client) {
  return cookieOf(await client.send('POST', '/login'));
}

export async function refresh(client, cookie) {
  const response = await client.send('POST', '/refresh', { Cookie: cookie });
  return expectOk(response, cookieOf(response));
}

function cookieOf({ head }) {
  return headerOf(head, 'set-cookie')?.split(';')[0];
}
