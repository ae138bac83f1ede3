import { Body, Controller, Delete, Get, Post, UseGuards } from '@nestjs/common';
import { RequireClaims, Session, SessionGuard, SessionService, VerifySession } from 'nest-sessions';
import { PlanClaim } from './billing.js';
import { Notes } from './notes.js';

/** The user's own notes. The export needs a paid plan, and closing the account a session that has not been revoked. */
@Controller('notes')
@UseGuards(SessionGuard)
export class NotesController {
  constructor(
    private readonly notes: Notes,
    private readonly sessions: SessionService,
  ) {}

  @Get()
  list(@Session('userId') userId: string): readonly string[] {
    return this.notes.of(userId);
  }

  @Post()
  add(@Session('userId') userId: string, @Body() { text }: { text: string }): readonly string[] {
    return this.notes.add(userId, text);
  }

  @Get('export')
  @RequireClaims(PlanClaim.validators.hasValue('pro'))
  export(@Session('userId') userId: string): string {
    return this.notes.of(userId).join('\n');
  }

  @Delete()
  @VerifySession({ checkDatabase: true })
  async closeAccount(@Session('userId') userId: string): Promise<void> {
    this.notes.forget(userId);
    await this.sessions.revokeAllSessionsForUser({ userId });
  }
}
