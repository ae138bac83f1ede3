import { Controller, Get } from '@nestjs/common';
import type { SessionEvent } from 'nest-sessions';
import { EventLog } from './event-log.js';

/** Public, so that the page can show why a session ended, even afterwards. A real application logs the events instead. */
@Controller('demo/events')
export class EventsController {
  constructor(private readonly log: EventLog) {}

  @Get()
  list(): readonly SessionEvent[] {
    return this.log.latest();
  }
}
