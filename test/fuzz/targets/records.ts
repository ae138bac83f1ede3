import { readRevocation } from '../../../lib/feed/revocation-feed.js';
import { RevocationIndex } from '../../../lib/feed/revocation-index.js';
import { readFeedQuestion } from '../../../lib/feed/served-feed.js';
import { SecretWrapper } from '../../../lib/core/embedded/key-wrapping.js';
import { isSealed, openText, sealedBy } from '../../../lib/core/embedded/sealed-text.js';
import { parseSessionHandle } from '../../../lib/core/embedded/session-handle.js';
import { StoreSetupError } from '../../../lib/stores/session-store.js';
import {
  applyChange,
  changeBetween,
  isJsonObject,
  jsonEquals,
  mergeTopLevel,
  parseJsonObject,
  type JsonObject,
} from '../../../lib/util/json.js';
import { readCursor, writeCursor } from '../../../lib/util/session-cursor.js';
import { must, mustEqual, parsedLaterOr, type FuzzTarget } from '../target.js';

const NOW_MS = 1_760_000_000_000;
const wrapper = new SecretWrapper(Buffer.alloc(32, 7));
const SEALED_PLACE = { place: { kind: 'refresh-token' }, publicHalf: '' } as const;
const PRIVATE_TEXT = '1000:00:11';
/** Sealed once by `sealText`, so that inputs which were kept still fit. */
const sealed =
  'sealed1.m3ldthf0BLU.xPhMl0Kc9AQzJ2JpalWNn1Pm-MFUsGjVKDfzjDTfvB0J_ZOqA2OZYyQJouWv_omAJUQJVb__m1lj2emT.' +
  '6wYCNo2Yo_z8V_dMXS2fP2gUq8P_9CHYE3q_8ljGUPcPo0iRS3I';

export const RECORD_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'feed-record',
    seeds: [
      '[{"kind":"session","id":"h","tenantId":"public","notBeforeMs":1760000000000,"untilMs":1760000600000}]',
      '[{"kind":"user","id":"u","notBeforeMs":1760000000000,"untilMs":1760000600000},{"kind":"all","id":"","notBeforeMs":0,"untilMs":9007199254740991}]',
      '[{"kind":"tenant","id":"t1","tenantId":"t1","notBeforeMs":1760000000000,"untilMs":1760000600000}]',
      '{"after":"1_2-3_abcdef","seen":"4","waitMs":100}',
    ],
    run(text) {
      const value = parseJson(text);
      if (isJsonObject(value))
        must(typeof readFeedQuestion(value) === 'string' || value['after'] !== null, 'null is no position');
      const records = (Array.isArray(value) ? value : [value]).flatMap((each) => readRevocation(each) ?? []);
      const index = new RevocationIndex(4);
      index.add(records, NOW_MS);
      const token = {
        sessionHandle: 'h',
        userId: 'u',
        recipeUserId: 'u',
        tenantId: 'public',
        timeCreatedMs: NOW_MS - 1000,
      };
      const ends = records.some(
        ({ kind, id, untilMs }) => kind === 'session' && id === 'h' && untilMs >= NOW_MS,
      );
      const verdict = index.judge(token);
      must(!ends || verdict !== 'valid', 'a session that has ended is not valid');
      must(verdict !== 'ended' || ends, 'no other session has ended');
      const before = index.size;
      index.add(records, NOW_MS);
      must(records.length > 4 || index.size === before, 'a record that comes again adds nothing');
      index.prune(NOW_MS);
      mustEqual(index.judge(token), verdict, 'nothing that matters is forgotten');
      index.noteState('h', true, NOW_MS, index.age);
    },
  },
  {
    name: 'cursor',
    seeds: [
      writeCursor({ createdAtMs: 1, tenantId: 'public', sessionHandle: 'h' }),
      'WzEsInB1YmxpYyIsImgiXQ',
      '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11_t1',
    ],
    run(text) {
      const position = readCursor(text);
      if (position !== undefined) {
        mustEqual(readCursor(writeCursor(position)), position, 'a place is read as it is written');
        must(/^[\u0021-\u007e]{1,255}$/.test(position.tenantId), 'a tenant is printable');
      }
      const key = parseSessionHandle(text);
      must(
        key === undefined || (key.sessionHandle === text && /^[\w-]+$/.test(text)),
        'a handle is taken whole',
      );
    },
  },
  {
    name: 'sealed-key',
    seeds: [sealed, 'sealed1.kms.AAAA.AAAA', 'sealed2.x', 'MIIB|MIIE', sealed.toUpperCase()],
    async run(text) {
      must(sealedBy(text) === undefined || isSealed(text), 'what names a wrapper is sealed');
      const plain = await parsedLaterOr([StoreSetupError], text, async () =>
        openText([wrapper], text, SEALED_PLACE),
      );
      must(plain === undefined || plain === PRIVATE_TEXT, 'nothing but what was sealed comes out');
      const other = { place: { kind: 'static', kid: 's-1', algorithm: 'RS256' }, publicHalf: '' } as const;
      const moved = await parsedLaterOr([StoreSetupError], text, async () =>
        openText([wrapper], text, other),
      );
      must(moved === undefined, 'a text that was moved does not open');
    },
  },
  {
    name: 'json',
    seeds: [
      '[{"a":1},{"a":2,"b":null}]',
      '[{"__proto__":{"x":1}},{"constructor":{"prototype":{}}}]',
      '[{"a":[1,{"b":2}]},{}]',
    ],
    run(text) {
      const value = parseJson(JSON.stringify(parseJson(text)) ?? ''); // numbers beyond those of JSON are null
      if (!Array.isArray(value) || !isJsonObject(value[0]) || !isJsonObject(value[1])) return;
      const [from, to] = value as [JsonObject, JsonObject];
      const changed = applyChange(from, changeBetween(from, to, []));
      must(jsonEquals(changed, to), 'a change leads from one object to the other');
      must(jsonEquals(to, changed), 'equality has two sides');
      const merged = mergeTopLevel(from, to);
      must(
        Object.keys(merged).every(
          (name) => merged[name] !== null || (!Object.hasOwn(to, name) && from[name] === null),
        ),
        'null removes a name',
      );
      must(Object.getPrototypeOf(merged) === Object.prototype, 'a merge changes no prototype');
      must(jsonEquals(mergeTopLevel(merged, to), merged), 'the same merge again changes nothing');
      must(jsonEquals(parseJsonObject(JSON.stringify(from)), from), 'an object is read as it is written');
    },
  },
];

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
