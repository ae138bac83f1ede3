import { TestClock } from 'nest-sessions/testing';
import type { TestSession } from 'nest-sessions/testing';
import { plan } from '../../sample/08-other-frameworks/plan.js';
import type { Running } from '../../sample/08-other-frameworks/settings.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { HttpClient } from '../support/http-client.js';
import { SessionClient } from '../support/session-client.js';
import { TestApplication } from '../support/test-application.js';

/** A Nest application that signs in and refreshes; the services under test verify what it issues. */
export interface SessionApi {
  readonly origin: string;
  readonly application: TestApplication;
  /** A session whose user has paid for this plan. */
  session(paid?: string): Promise<TestSession>;
  /** The same, with an access token that expired two minutes ago. */
  expiredSession(): Promise<TestSession>;
}

/** Starts it on the time of the services, which have no clock of the test. */
export async function startSessionApi(): Promise<SessionApi> {
  const application = await TestApplication.on('express').clock(new TestClock(Date.now())).start();
  const { testSessions } = application;
  return {
    origin: `http://127.0.0.1:${application.port}`,
    application,
    session: (paid = 'free') => testSessions.createTestSession({ userId: 'ada', claims: [[plan, paid]] }),
    expiredSession: () => testSessions.expiredSession({ userId: 'ada', claims: [[plan, 'free']] }),
  };
}

/** A service under test, until the end of the file. */
export class Service {
  private readonly http: HttpClient;

  constructor(readonly running: Running) {
    this.http = new HttpClient(Number(new URL(running.origin).port));
    closeAfterTest(async () => {
      this.http.close();
      await running.close();
    });
  }

  readonly send: HttpClient['send'] = (request) => this.http.send(request);

  /** A client without a session. */
  readonly client = (mode: 'cookie' | 'header'): SessionClient => new SessionClient(this.http, mode);

  /** A client of the service that has signed in at the API, in one domain with it. */
  readonly clientOf = (session: TestSession, mode: 'cookie' | 'header'): SessionClient => {
    const client = this.client(mode);
    client.take(session);
    return client;
  };
}
