import { Injectable } from '@nestjs/common';
import { SessionEvents, type SessionEvent } from 'nest-sessions';

const KEPT = 50;

/** The last events of all sessions, newest first. Events carry no tokens. */
@Injectable()
export class EventLog {
  private events: readonly SessionEvent[] = [];

  constructor({ stream }: SessionEvents) {
    stream.subscribe((event) => {
      this.events = [event, ...this.events].slice(0, KEPT);
    });
  }

  latest(): readonly SessionEvent[] {
    return this.events;
  }
}
