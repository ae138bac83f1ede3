import type { INestApplication } from '@nestjs/common';
import { sessionCorsOptions, type SessionModuleOptions } from 'nest-sessions';
import { runDiagnosis, type DiagnoseOptions, type Diagnosis } from '../../lib/doctor/diagnose.js';
import type { RecordedExchange } from '../../lib/doctor/exchange.js';
import type { Finding, FindingCode, Problem } from '../../lib/doctor/finding.js';
import { createHttpSender, type Sender } from '../../lib/doctor/http-sender.js';
import { SystemClock } from '../../lib/util/clock.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import type { Handlers } from '../support/demo.controller.js';
import { type Adapter, SHOP, TestApplication, type EngineOptions } from '../support/test-application.js';

/** A clock that runs beside that of the doctor, so that a slow machine looks like no difference of clocks. */
export class RunningClock extends TestClock {
  constructor(private readonly offsetMs = 0) {
    super();
  }

  override now(): number {
    return Date.now() + this.offsetMs;
  }
}

export const SIGN_IN = 'POST /login {"userId":"user-1"}';

/** Changes to the traffic between the doctor and the application. */
export interface InBetween {
  /** Turns the address that was asked into the path at the application; default the same path. */
  readonly pathOf?: (url: URL) => string;
  /** Changes a response on its way. */
  readonly proxy?: (exchange: RecordedExchange) => RecordedExchange;
  /** Called once the examination is over. */
  readonly afterwards?: (application: TestApplication) => Promise<void>;
}

export interface ExaminationInput extends InBetween {
  readonly adapter: Adapter;
  readonly options?: Partial<SessionModuleOptions>;
  readonly coreOptions?: EngineOptions;
  readonly handlers?: Handlers;
  /** Default: CORS as the README says. */
  readonly configure?: (app: INestApplication) => void;
  readonly clock?: TestClock;
  readonly ask?: Partial<DiagnoseOptions>;
  /** Default true. */
  readonly hasSignIn?: boolean;
}

/** Sends to a port of the loopback whatever host and scheme are asked for. */
export function loopbackSender(port: number, { pathOf, proxy }: InBetween = {}): Sender {
  const send = createHttpSender({ timeoutMs: 10_000, clock: new SystemClock() });
  return async (request) => {
    const url = new URL(request.url);
    const path = pathOf?.(url) ?? url.pathname + url.search;
    const exchange = await send({
      ...request,
      url: `http://127.0.0.1:${port}${path}`,
      headers: { ...request.headers, host: url.host },
    });
    const asked = { ...exchange, url: request.url };
    return proxy?.(asked) ?? asked;
  };
}

/** Starts the shop, examines it as if it were reached at https://api.shop.io, and closes it. */
export async function examine(input: ExaminationInput): Promise<Diagnosis> {
  const starter = TestApplication.on(input.adapter)
    .with(input.options ?? {})
    .engine(input.coreOptions ?? {})
    .handlers(input.handlers ?? {})
    .configure(input.configure ?? allowShop)
    .clock(input.clock ?? new RunningClock());
  return starter.run(async (application) => {
    const diagnosis = await runDiagnosis(loopbackSender(application.port, input), {
      api: `${SHOP.apiDomain}/auth`,
      website: SHOP.websiteDomain,
      ...(input.hasSignIn === false ? {} : { signIn: SIGN_IN }),
      ...input.ask,
    });
    await input.afterwards?.(application);
    return diagnosis;
  });
}

/** CORS as the README says. */
export const allowShop: NonNullable<ExaminationInput['configure']> = (app) => {
  app.enableCors(sessionCorsOptions({ origins: [SHOP.websiteDomain] }));
};

/** The codes of what has to be mended. */
export function problemCodes({ findings }: Diagnosis): FindingCode[] {
  return findings.filter(({ level }) => level !== 'ok').map(({ code }) => code);
}

/** The finding of a code. @throws when there is none */
export function finding(diagnosis: Diagnosis, code: FindingCode): Finding {
  const found = diagnosis.findings.find((each) => each.code === code);
  if (found === undefined) throw new Error(`There is no finding ${code}`);
  return found;
}

/** The problem of a code. @throws when there is none */
export function problem(diagnosis: Diagnosis, code: FindingCode): Problem {
  const found = finding(diagnosis, code);
  if (found.level === 'ok') throw new Error(`${code} is ok: ${found.seen}`);
  return found;
}

/** An exchange with other response headers; an undefined header is removed. */
export function withHeaders(
  exchange: RecordedExchange,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): RecordedExchange {
  if (exchange.response === undefined) return exchange;
  const kept = exchange.response.headers.filter(([name]) => !(name in headers));
  const added = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((line) => [name, line] as const),
  );
  return { ...exchange, response: { ...exchange.response, headers: [...kept, ...added] } };
}
