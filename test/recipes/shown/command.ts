import { type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SessionService } from 'nest-sessions';

/** `node dist/sign-out.js user-1`: the application without a server. It needs a store that other processes share. */
export async function signOut(AppModule: Type, userId: string | undefined): Promise<string> {
  if (userId === undefined) return 'Whose sessions? Give the id of a user.';
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  try {
    const ended = await app
      .get(SessionService)
      .revokeAllSessionsForUser({ userId, reason: 'support', initiator: 'command line' });
    return `${ended.length} sessions of ${userId} have ended.`;
  } finally {
    await app.close(); // stops the sweeper and closes the store, or the process would go on
  }
}
