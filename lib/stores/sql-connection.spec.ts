import { describe, expect, it, jest } from '@jest/globals';
import { type SqlClient, sqliteDialect } from './sql-client.js';
import { DEFAULT_RETRY } from '../util/retries.js';
import { SqlConnection } from './sql-connection.js';

/** A connection without tables, and what its client was told. */
function connectionOf(open: () => Promise<void>, options = { isMigrating: false, retry: DEFAULT_RETRY }) {
  const told: string[] = [];
  const client: SqlClient = {
    dialect: sqliteDialect,
    open: async () => {
      told.push('open');
      await open();
    },
    query: async ({ text }) => {
      told.push(text);
      return [];
    },
    exclusively: async () => Promise.reject(new Error('nobody asks for this')),
    close: async () => {
      told.push('close');
    },
  };
  return { connection: new SqlConnection(client, {}, options), told };
}

describe('the connection of a SQL store', () => {
  it('keeps the tables as they are without a change of the options that it was given', async () => {
    const options = Object.freeze({ isMigrating: true, retry: DEFAULT_RETRY });
    const { connection, told } = connectionOf(async () => {}, options);
    connection.keepTables();
    await connection.prepare();
    expect(told).toEqual(['open']);
  });

  it('is opened once, before the first statement, and again before one after it was closed', async () => {
    const { connection, told } = connectionOf(async () => {});
    const prepared = async (text: string): Promise<unknown> => {
      await connection.prepare();
      return connection.run(text);
    };
    await Promise.all([prepared('one'), prepared('two')]);
    await connection.close();
    await prepared('three');
    await connection.close();
    expect(told).toEqual(['open', 'one', 'two', 'close', 'open', 'three', 'close']);
  });

  it('is opened again only when it has been closed, whoever asks meanwhile', async () => {
    const { connection, told } = connectionOf(async () => {});
    const first = connection.prepare();
    const closing = connection.close();
    const second = connection.prepare();
    await Promise.all([first, closing, second, connection.close()]);
    expect(told).toEqual(['open', 'close', 'open', 'close']);
  });

  it('is opened again after a failure, and a late one does not end what was opened since', async () => {
    let fail: (error: Error) => void = () => {};
    const openings = [new Promise<void>((_, reject) => (fail = reject)), Promise.resolve()];
    const { connection, told } = connectionOf(async () => openings.shift());
    const first = connection.prepare();
    const closing = connection.close();
    const second = connection.prepare();
    fail(new Error('nobody there'));
    await expect(first).rejects.toThrow('nobody there');
    await Promise.all([closing, second]);
    await connection.run('one');
    expect(told).toEqual(['open', 'close', 'open', 'one']);
  });

  it('is closed within five seconds, though the database says nothing while it is opened', async () => {
    jest.useFakeTimers();
    const { connection, told } = connectionOf(async () => new Promise(() => {}));
    void connection.prepare();
    const closing = connection.close();
    await jest.advanceTimersByTimeAsync(4999);
    expect(told).toEqual(['open']);
    await jest.advanceTimersByTimeAsync(1);
    jest.useRealTimers();
    await closing;
    expect(told).toEqual(['open', 'close']);
  });
});
