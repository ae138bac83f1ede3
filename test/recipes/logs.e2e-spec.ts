import { Writable } from 'node:stream';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { OptionalSession, SessionGuard } from 'nest-sessions';
import { LoggerModule, PinoLogger } from 'nestjs-pino';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { LogModule, logSettings, SessionLogInterceptor } from './shown/logs.js';

@Controller()
@UseGuards(SessionGuard)
class LoggedController {
  constructor(private readonly logger: PinoLogger) {}

  @Get('logged')
  @OptionalSession()
  logged() {
    this.logger.info('handled');
  }
}

const lines: string[] = [];
/** One for all applications, because nestjs-pino keeps the logger of the first. */
const stream = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines.push(...chunk.toString().trim().split('\n'));
    done();
  },
});

describe.each(ADAPTERS)('the recipe for nestjs-pino on %s', (adapter) => {
  it('has user and session in the lines of a request, and no token', async () => {
    lines.length = 0;
    const { clientOf, client, testSessions } = await TestApplication.on(adapter)
      .controllers(LoggedController)
      .imports(LoggerModule.forRoot({ ...logSettings, pinoHttp: [logSettings.pinoHttp, stream] }))
      .providers({ provide: APP_INTERCEPTOR, useClass: SessionLogInterceptor })
      .start();
    const session = await testSessions.createTestSession({ userId: 'ada' });
    expect((await clientOf(session).get('/logged')).text).toBe('');
    await client().get('/logged');
    const [handled, completed, ofStranger] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const who = { userId: 'ada', sessionHandle: session.sessionHandle };
    expect([handled, completed]).toMatchObject([
      { msg: 'handled', ...who },
      { msg: 'request completed', ...who },
    ]);
    expect(ofStranger).not.toHaveProperty('userId');
    expect(lines.join('\n')).not.toContain(session.accessToken);
    expect(LogModule).toBeDefined(); // the module as the guide shows it writes to standard output
  });
});
