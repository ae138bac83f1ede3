import { parseJsonObject, type JsonObject } from '../util/json.js';

/** An answer as it came over the wire. */
export interface RecordedAnswer {
  readonly status: number;
  /** Every header line, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A request that was sent, and what became of it. */
export interface RecordedExchange {
  readonly method: string;
  readonly url: string;
  /** The local clock, milliseconds since the epoch. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** Absent: nobody answered; then `failure` says why. */
  readonly answer?: RecordedAnswer;
  /** A code of Node (`ECONNREFUSED`) or `TIMEOUT`. */
  readonly failure?: string;
}

/** All lines of a header; none when nobody answered. */
export function headerLines(exchange: RecordedExchange | undefined, name: string): string[] {
  const headers = exchange?.answer?.headers ?? [];
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** A header as browsers read it: several lines joined by commas. */
export function readHeader(exchange: RecordedExchange | undefined, name: string): string | undefined {
  const lines = headerLines(exchange, name);
  return lines.length === 0 ? undefined : lines.join(', ');
}

/** The members of a header that is a list, in lower case. */
export function readHeaderList(exchange: RecordedExchange | undefined, name: string): string[] {
  const members = (readHeader(exchange, name) ?? '').split(',');
  return members.map((member) => member.trim().toLowerCase()).filter((member) => member !== '');
}

/** True for an answer that sends the client elsewhere. */
export function isRedirect(exchange: RecordedExchange): boolean {
  const status = exchange.answer?.status ?? 0;
  return status >= 300 && status < 400 && status !== 304;
}

/** The answer, unless there was none or it was a redirect. */
export function settledAnswer(exchange: RecordedExchange | undefined): RecordedAnswer | undefined {
  return exchange === undefined || isRedirect(exchange) ? undefined : exchange.answer;
}

/** True for a settled answer with a status of success. */
export function isSuccess(exchange: RecordedExchange | undefined): boolean {
  const status = settledAnswer(exchange)?.status ?? 0;
  return status >= 200 && status < 300;
}

/** The exchanges that took place. */
export function taken(...exchanges: readonly (RecordedExchange | undefined)[]): RecordedExchange[] {
  return exchanges.filter((exchange) => exchange !== undefined);
}

/** The body as a JSON object, or undefined when it is something else. */
export function jsonBody(answer: RecordedAnswer | undefined): JsonObject | undefined {
  return parseJsonObject(answer?.body ?? '');
}

/** How a finding names an exchange: `POST /auth/session/refresh`. */
export function exchangeName(exchange: RecordedExchange): string {
  return `${exchange.method} ${new URL(exchange.url).pathname}`;
}
