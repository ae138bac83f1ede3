import { BadRequestException } from '@nestjs/common';
import { AUDIT_KINDS, type AuditKind } from '../audit/audit-record.js';
import { isJsonObject, type JsonObject } from '../util/json.js';
import type { SessionSelection, SummarySearch } from './session-overview.js';

const LONGEST_TEXT = 1024;
const LONGEST_REASON = 256;
const MAX_LIMIT = 200;
const COUNTABLE: ReadonlySet<string> = new Set(['userId', 'tenantId', 'createdAfter']);

/** The query of a request, with checks. @throws {BadRequestException} from each method, for what is too long or no number */
export class DashboardQuery {
  private readonly values: URLSearchParams;

  /** @param url with its query */
  constructor(url: string) {
    const [, ...query] = url.split('?');
    this.values = new URLSearchParams(query.join('?'));
  }

  text(name: string): string | undefined {
    const value = this.values.get(name) ?? '';
    if (value.length > LONGEST_TEXT)
      throw new BadRequestException(
        `${name}: at most ${LONGEST_TEXT} characters are expected, not ${value.length}`,
      );
    return value === '' ? undefined : value;
  }

  number(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,15}$/.test(value)) throw new BadRequestException(`${name}: a whole number is expected`);
    return Number(value);
  }

  /** The conditions of a list of sessions. */
  search(): SummarySearch {
    return {
      sessionHandle: this.text('sessionHandle'),
      userId: this.text('userId'),
      tenantId: this.text('tenantId'),
      device: this.text('device'),
      createdAfterMs: this.number('createdAfter'),
      createdBeforeMs: this.number('createdBefore'),
      cursor: this.text('cursor'),
      limit: this.limit(),
    };
  }

  /** The conditions of a count. */
  countable(): Pick<SummarySearch, 'userId' | 'tenantId' | 'createdAfterMs'> {
    const unknown = [...this.values.keys()].find((name) => !COUNTABLE.has(name));
    if (unknown !== undefined)
      throw new BadRequestException(
        `Sessions are counted by ${[...COUNTABLE].join(', ')}, and by no other condition`,
      );
    return this.search();
  }

  /** One kind of records, or `ended`. */
  kinds(): readonly AuditKind[] | 'ended' | undefined {
    const kind = this.text('kind');
    if (kind === undefined || kind === 'ended') return kind;
    const known = AUDIT_KINDS.find((each) => each === kind);
    if (known !== undefined) return [known];
    throw new BadRequestException(`kind: expected is ended, or one of ${AUDIT_KINDS.join(', ')}`);
  }

  limit(): number | undefined {
    const limit = this.number('limit');
    if (limit === undefined || (limit >= 1 && limit <= MAX_LIMIT)) return limit;
    throw new BadRequestException(`limit: a number from 1 to ${MAX_LIMIT} is expected`);
  }
}

/** Returns path and query of a request of Express or Fastify, as the client sent them. */
export function urlOf(req: unknown): string {
  const { originalUrl, url = '' } = req as { readonly originalUrl?: string; readonly url?: string };
  return originalUrl ?? url;
}

/** Reads which sessions to end, and why. @throws {BadRequestException} the body says not clearly which, or has no reason */
export function readEnding(body: unknown): { readonly selection: SessionSelection; readonly reason: string } {
  if (!isJsonObject(body))
    throw new BadRequestException('A JSON object with the sessions and a reason is expected');
  const { sessionHandle, userId, tenantId, createdBeforeMs, everybody, reason, ...others } = body;
  const [unknown] = Object.keys(others);
  // A condition that is not understood would end more sessions than were meant.
  if (unknown !== undefined) throw new BadRequestException('The selection has a name that is not known here');
  const given = optionalText('reason', reason)?.trim() ?? '';
  if (given === '' || given.length > LONGEST_REASON)
    throw new BadRequestException(
      `reason: a text of 1 to ${LONGEST_REASON} characters is expected, for the audit trail`,
    );
  const selection = {
    sessionHandle: optionalText('sessionHandle', sessionHandle),
    userId: optionalText('userId', userId),
    tenantId: optionalText('tenantId', tenantId),
    createdBeforeMs: optionalTime(createdBeforeMs),
    everybody: optionalTrue(everybody),
  };
  return { selection, reason: given };
}

function optionalText(name: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw new BadRequestException(`${name}: text is expected`);
}

function optionalTime(value: JsonObject[string] | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) > 0))
    return value as number | undefined;
  throw new BadRequestException('createdBeforeMs: milliseconds since the epoch are expected');
}

function optionalTrue(value: JsonObject[string] | undefined): true | undefined {
  if (value === undefined || value === true) return value;
  throw new BadRequestException('everybody: true is expected, or nothing');
}
