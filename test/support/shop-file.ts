import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach } from '@jest/globals';
import { sqliteStore, type Sessions } from 'nest-sessions/standalone';
import { TestClock } from '../../lib/testing/test-clock.js';
import { TEST_START_MS } from './embedded.js';
import { shell, shopOn, type Shell } from './shell.js';

/** A shop on a SQLite file, and a shell beside it; new ones for each test. */
export interface ShopFile {
  readonly folder: string;
  readonly file: string;
  /** The option `--store` of the file. */
  readonly store: string;
  readonly clock: TestClock;
  readonly shop: Sessions;
  readonly run: Shell;
}

/** Starts a shop before each test and closes it afterwards. */
export function shopOnFile(): ShopFile {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-cli-'));
  const place = { folder } as { -readonly [Name in keyof ShopFile]: ShopFile[Name] };
  let files = 0;
  beforeEach(async () => {
    place.clock = new TestClock(TEST_START_MS);
    place.file = join(folder, `${++files}.db`);
    place.store = `sqlite:${place.file}`;
    place.shop = await shopOn(sqliteStore(place.file), place.clock);
    place.run = shell({ clock: place.clock });
  });
  afterEach(() => place.shop.close());
  afterAll(() => rmSync(folder, { recursive: true }));
  return place;
}

export function parsed(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}
