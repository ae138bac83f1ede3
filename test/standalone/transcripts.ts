import type { ClientResponse, RequestToSend } from '../support/http-client.js';
import {
  startNestShop,
  startStandaloneShop,
  type Shop,
  type ShopOptions,
  type Way,
} from '../support/standalone-shop.js';

/** The responses of a shop, step by step. */
export interface Step {
  readonly step: string;
  readonly status: number;
  readonly headers: readonly string[];
  readonly text: string;
}

/** The headers of a server or of Express, which have nothing to do with sessions. */
const OF_THE_SERVER = [
  'connection',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'transfer-encoding',
  'x-powered-by',
];

/** Notes the responses of a shop, whose statuses are expected ones. */
export class Notes {
  readonly steps: Step[] = [];

  constructor(readonly shop: Shop) {}

  /** Notes a response. @throws when its status is another one */
  expect(status: number, step: string, response: ClientResponse): ClientResponse {
    if (response.status !== status)
      throw new Error(`${step}: the status is ${response.status}, not ${status}: ${response.text}`);
    this.steps.push({ step, status, headers: comparableHeaders(response), text: comparable(response.text) });
    return response;
  }

  /** Sends a request and notes the response. */
  async send(status: number, step: string, request: RequestToSend): Promise<ClientResponse> {
    return this.expect(status, step, await this.shop.send(request));
  }
}

export type Scenario = (notes: Notes) => Promise<void>;

/** Plays a scenario in a shop. */
export async function play(
  where: Way | 'nest',
  scenario: Scenario,
  options: () => Promise<ShopOptions> | ShopOptions = () => ({}),
): Promise<readonly Step[]> {
  const given = await options();
  const notes = new Notes(
    where === 'nest' ? await startNestShop(given) : await startStandaloneShop(where, given),
  );
  await scenario(notes);
  return notes.steps;
}

/** All headers, sorted by name; the lines of one header keep their order. */
function comparableHeaders(response: ClientResponse): string[] {
  return response.names
    .filter((name) => !OF_THE_SERVER.includes(name))
    .toSorted()
    .flatMap((name) => response.lines(name).map((line) => `${name}: ${comparable(line)}`));
}

const JWT = /eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g;
const FRONT_TOKEN = /eyJ1aWQi[\w+/=]+/g;
/** As it stands in a header, and percent-encoded in a cookie. */
const REFRESH_TOKEN = /(?:[\w+/=]|%2B|%2F|%3D){150,}\.[0-9a-f]{64}\.V2/g;

/** Replaces what is made by chance; what tokens say about the session stays. */
function comparable(text: string): string {
  return text
    .replace(JWT, (token) => `jwt(${token.split('.').slice(0, 2).map(decoded).join('.')})`)
    .replace(FRONT_TOKEN, (token) => `front(${decoded(token)})`)
    .replace(REFRESH_TOKEN, '<refresh token>')
    .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, '<uuid>')
    .replace(/[0-9a-f]{64}/g, '<hash>')
    .replace(/"(register|refresh)\.[\w.-]+"/g, '"$1 challenge"')
    .replace(/"t":\d{13}/g, '"t":…'); // when a claim was fetched
}

function decoded(part: string): string {
  return Buffer.from(part, 'base64').toString('utf8');
}
