import { Injectable } from '@nestjs/common';
import { SessionEvents } from 'nest-sessions';

/** How this instance learns of ended sessions at present. A health check would look at it. */
@Injectable()
export class FeedState {
  /** `stale` from the start until the feed has been read. */
  state: 'live' | 'polling' | 'stale' | 'none' = 'stale';

  constructor({ stream }: SessionEvents) {
    stream.subscribe((event) => {
      if (event.type === 'revocations.state') this.state = event.state;
    });
  }
}
