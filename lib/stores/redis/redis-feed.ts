import { randomUUID } from 'node:crypto';
import {
  RECORDS_OF_A_PAGE,
  RevocationFeed,
  sessionRevocation,
  type Revocation,
  type RevocationNote,
  type RevocationPage,
} from '../../feed/revocation-feed.js';
import { Listening } from '../listening.js';
import { replyList, replyNumber, replyText, replyTexts, type RedisConnection } from './redis-connection.js';
import { PUBLISH, READ, SWEEP_RECORDS } from './redis-feed-scripts.js';
import { parseRowName, type RedisLayout } from './redis-layout.js';
import { RedisPlacement } from './redis-placement.js';
import { KEPT_AFTER_EXPIRY_MS } from './redis-script.js';

/** Records that one script writes. */
const WRITTEN_TOGETHER = 100;

/** The last entry of a stream that was read. */
interface StreamPosition {
  readonly id: string;
  /** Tells it from another entry with the same id, which a server that took over may have given. */
  readonly digest: string;
}

/** The positions of the partitions that have records, by their numbers. */
type Positions = ReadonlyMap<number, StreamPosition>;

/** New entries of one stream. */
interface StreamPage extends StreamPosition {
  readonly partition: number;
  readonly records: readonly unknown[];
}

/**
 * A stream in each partition as a feed: the script that ends a session writes the record into the stream beside it, so that both
 * happen or neither, on whichever node of a cluster. Readers ask each primary once for the streams of all its partitions.
 */
export class RedisFeed extends RevocationFeed {
  private readonly placement: RedisPlacement;
  private readonly wakes = new Set<() => void>();
  private listening: Listening | undefined;

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {
    super();
    this.placement = new RedisPlacement(connection, layout);
  }

  override get description(): string {
    return this.connection.port.description;
  }

  override get isPushing(): boolean {
    return this.listening?.isHeard === true;
  }

  override async publish(records: readonly Revocation[]): Promise<void> {
    for (let from = 0; from < records.length; from += WRITTEN_TOGETHER)
      await this.write(records.slice(from, from + WRITTEN_TOGETHER));
  }

  private async write(records: readonly Revocation[]): Promise<void> {
    const life = Math.max(...records.map(recordLifeMs));
    await this.connection.runDurably(
      PUBLISH,
      [this.layout.indexKey(0), this.layout.callKey(0, randomUUID())],
      (mark) => [mark, life, ...records.map((record) => JSON.stringify(record))],
      (reply) => replyNumber(reply) === 0,
    );
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const positions = new Map(parsePosition(after));
    const records: unknown[] = [];
    let mayHaveMore = true;
    while (mayHaveMore && records.length < RECORDS_OF_A_PAGE) {
      const responses = await this.readServers(positions);
      for (const page of responses.flatMap(({ pages }) => pages)) {
        positions.set(page.partition, page);
        for (const record of page.records) records.push(record);
      }
      mayHaveMore = responses.some((response) => response.mayHaveMore);
    }
    return { records, position: formatPosition(positions), mayHaveMore };
  }

  private async readServers(
    positions: Positions,
  ): Promise<{ readonly pages: StreamPage[]; readonly mayHaveMore: boolean }[]> {
    return this.placement.forEachServer(async (together) => {
      const streams = together.map((partition) => this.layout.streamKey(partition));
      const args = together.flatMap((partition, i) => {
        const { id = '', digest = '' } = positions.get(partition) ?? {};
        return [streams[i] ?? '', id, digest];
      });
      const reply = await this.connection.run(READ, streams.slice(0, 1), args);
      const [mayHaveMore, ...pages] = replyList(reply);
      return {
        pages: pages.map((page) => readPage(page, together)),
        mayHaveMore: replyNumber(mayHaveMore) === 1,
      };
    });
  }

  override subscribe(wake: () => void): () => Promise<void> {
    const { listen } = this.connection.port;
    if (listen === undefined) return super.subscribe(wake);
    const own = (): void => wake(); // one of its own for each call
    this.wakes.add(own);
    this.listening ??= new Listening({
      open: (onMessage, onLost) => listen(this.layout.channel, onMessage, onLost),
      announce: async (word) => {
        await this.connection.command(this.layout.indexKey(0), 'PUBLISH', this.layout.channel, word);
      },
      wake: () => {
        for (const each of this.wakes) each();
      },
    });
    return async () => {
      this.wakes.delete(own);
      if (this.wakes.size > 0) return;
      const { listening } = this;
      this.listening = undefined;
      await listening?.stop();
    };
  }

  override async sweep(beforeMs: number): Promise<void> {
    await Promise.all(
      this.layout.allPartitions().map(async (partition) => {
        const stream = this.layout.streamKey(partition);
        while (replyNumber(await this.connection.run(SWEEP_RECORDS, [stream], [beforeMs])) === 1);
      }),
    );
  }
}

/** Returns the arguments of a script that ends sessions: the note and the life of its records, empty without a note. */
export function noteArguments(note: RevocationNote | undefined): [note: string, lifeMs: number | ''] {
  return note === undefined ? ['', ''] : [JSON.stringify(note), recordLifeMs(note)];
}

/** How long a record stays at least; a day more than it matters, so that no difference of clocks removes it. */
function recordLifeMs({ notBeforeMs, untilMs }: RevocationNote): number {
  return Math.max(untilMs - notBeforeMs, 0) + KEPT_AFTER_EXPIRY_MS;
}

function readPage(reply: unknown, partitions: readonly number[]): StreamPage {
  const [index, id, digest, ...entries] = replyList(reply);
  const partition = partitions[replyNumber(index)];
  if (partition === undefined) throw new Error('Redis returned a stream that was not asked for');
  return {
    partition,
    id: replyText(id),
    digest: replyText(digest),
    records: entries.map((entry) => readEntry(replyTexts(entry))),
  };
}

/** Reads an entry; one that is none of ours comes as it is, for the reader to decide. */
function readEntry(fields: readonly string[]): unknown {
  const [, name = '', , note = ''] = fields;
  try {
    const content: unknown = JSON.parse(note);
    return name === '' ? content : sessionRevocation(parseRowName(name), content as RevocationNote);
  } catch {
    return fields;
  }
}

/** The numbers of an entry have 64 bits; the server refuses larger ones. */
const POSITION = /^(\d{1,3})_(\d{1,19}-\d{1,19})_([0-9a-f]{6})$/;

/** Reads a position; where it is none of ours, reading begins anew. */
function parsePosition(text = ''): [partition: number, position: StreamPosition][] {
  return text.split('.').flatMap((part) => {
    const [, partition, id, digest] = POSITION.exec(part) ?? [];
    return id === undefined || digest === undefined ? [] : [[Number(partition), { id, digest }]];
  });
}

function formatPosition(positions: Positions): string {
  return Array.from(positions, ([partition, { id, digest }]) => `${partition}_${id}_${digest}`).join('.');
}
