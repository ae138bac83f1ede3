import { Controller, Get } from '@nestjs/common';
import type { SessionEvent } from 'nest-sessions';
import { EventLog } from './event-log.js';

/** Open to all, so that the page can show why a session ended after it ended. An application logs these instead. */
@Controller('demo/events')
export class EventsController {
  constructor(private readonly log: EventLog) {}

  @Get()
  list(): readonly SessionEvent[] {
    return this.log.latest();
  }
}
