import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** One request to a real SuperTokens Core, and what it answered. */
export interface RecordedExchange {
  /** Part and number in the recording, `B42` for example. */
  readonly id: string;
  /** What the recording says it shows. */
  readonly title: string;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly answer: {
    readonly status: number;
    /** Names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
    /** Without the newline at its end. */
    readonly body: string;
  };
}

const EXCHANGE =
  /^--- #(\d+) .*\n> ([A-Z]+) (\S+) .*\n([\s\S]*?)\n\n([\s\S]*?)\n\n?< (\d+).*\n([\s\S]*?)\n\n([\s\S]*)$/;

/**
 * Raw HTTP with a SuperTokens Core 10.1.8 (CDI up to 5.3) on its in-memory database, recorded on the loopback. Part A is
 * the flow of the SDK supertokens-node 23.1.0, part B are calls made by hand. From B139 on a second core answers: with
 * API keys, access tokens of 2 s and refresh tokens of 6 s. The cores and their keys are gone.
 */
export function recordedExchanges(): RecordedExchange[] {
  const file = resolve(process.cwd(), 'test/fixtures/core-10.1.8-exchange.log');
  let part = '';
  let title = '';
  return readFileSync(file, 'utf8')
    .split(/^(?=--- #|####)/m)
    .flatMap((block) => {
      part = /PART ([AB])/.exec(block)?.[1] ?? part;
      title = /^#+ (.*)/.exec(block)?.[1] ?? title;
      const match = EXCHANGE.exec(block);
      if (match === null) return [];
      const [
        ,
        number,
        method = '',
        url = '',
        headers = '',
        body = '',
        status,
        answerHeaders = '',
        answer = '',
      ] = match;
      return [
        {
          id: `${part}${number}`,
          title,
          method,
          url,
          headers: headersIn(headers),
          body,
          answer: { status: Number(status), headers: headersIn(answerHeaders), body: answer.trimEnd() },
        },
      ];
    });
}

function headersIn(lines: string): Record<string, string> {
  return Object.fromEntries(
    lines.split('\n').map((line) => {
      const [name = '', ...value] = line.split(':');
      return [name.toLowerCase(), value.join(':').trim()];
    }),
  );
}
