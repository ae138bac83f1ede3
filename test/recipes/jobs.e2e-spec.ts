import { BullModule } from '@nestjs/bullmq';
import { QueueEvents, type Job } from 'bullmq';
import { afterAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { startRedis } from '../support/redis.js';
import { TestApplication } from '../support/test-application.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { ReportsController, ReportsProcessor, type ReportJob } from './shown/jobs.js';

const redis = await startRedis();

afterAll(async () => redis.stop());

redis.describe('the recipe for BullMQ', () => {
  it('works for the user while the session lives, and fails for good when it has ended', async () => {
    const { hostname: host, port } = new URL(redis.url);
    const connection = { host, port: Number(port), maxRetriesPerRequest: null };
    const prefix = redis.freshPrefix().replaceAll(':', '');
    const { app, clientOf, testSessions, sessions } = await TestApplication.on('express')
      .controllers(ReportsController)
      .providers(ReportsProcessor)
      .imports(BullModule.forRoot({ connection, prefix }), BullModule.registerQueue({ name: 'reports' }))
      .start();
    const queue = app.get<Queue<ReportJob>>(getQueueToken('reports'), { strict: false });
    const events = new QueueEvents('reports', { connection, prefix });
    closeAfterTest(async () => events.close());
    await events.waitUntilReady();
    const session = await testSessions.createTestSession({ userId: 'ada' });
    const response = await clientOf(session, 'header').post('/reports');
    expect(response.status).toBe(201);
    const job = (await queue.getJob((response.body as { id: string }).id)) as Job<ReportJob>;
    expect(await job.waitUntilFinished(events)).toBe('report for ada');
    expect(job.data).toEqual({ userId: 'ada', sessionHandle: session.sessionHandle });

    await sessions.revokeSession(session.sessionHandle);
    const late = await queue.add('report', job.data);
    await expect(late.waitUntilFinished(events)).rejects.toThrow('The session has ended');
    const foreign = await queue.add('report', { ...job.data, userId: 'bob' });
    await expect(foreign.waitUntilFinished(events)).rejects.toThrow('The session has ended');
  });
});
