import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import {
  BODY_LIMIT,
  bodyHooks,
  isBodyError,
  readForm,
  readText,
  type FastifyBodyRequest,
  type JsonParserSource,
} from './body-errors.js';

const FORM = 'application/x-www-form-urlencoded';

describe('an error about a body', () => {
  it.each([
    { type: 'charset.unsupported' },
    { type: 'encoding.unsupported' },
    { type: 'entity.parse.failed' },
    { type: 'entity.too.large' },
    { type: 'parameters.too.many' },
    { type: 'querystring.parse.rangeError' },
    { type: 'request.size.invalid' },
    { type: 'stream.encoding.set' },
    { type: 'stream.not.readable' },
    { code: 'Z_DATA_ERROR' },
    { code: 'ERR__ERROR_FORMAT_PADDING_1' },
    { code: 'ERR_BROTLI_DECODER_ERROR' },
    { code: 'ERR_PADDING_1' },
    { code: 'ZSTD_error_prefix_unknown' },
  ])('is %j', (error) => {
    expect(isBodyError(Object.assign(new Error('x'), error))).toBe(true);
  });

  it.each([
    undefined,
    null,
    'entity.parse.failed',
    {},
    { type: 'entity.verify.failed' },
    { type: 'request.aborted' },
    { code: 'ECONNRESET' },
    { code: 'ERR_HTTP_HEADERS_SENT' },
    { code: 'NOT_Z_DATA_ERROR' },
    { code: ['Z_DATA_ERROR'] },
    { code: 7 },
  ])('is not %j', (error) => {
    expect(isBodyError(error)).toBe(false);
  });
});

describe('the form with a logout token', () => {
  it.each([
    ['one', 'a=1&logout_token=x%20y&logout=2', FORM, { logout_token: 'x y' }],
    ['several, all of them', 'logout_token=x&logout_token=y', FORM, { logout_token: ['x', 'y'] }],
    ['an empty one', 'logout_token=', FORM, { logout_token: '' }],
    [
      'capitals and parameters in the content type',
      'logout_token=x',
      `${FORM.toUpperCase()} ;charset=utf-8`,
      { logout_token: 'x' },
    ],
    ['none', 'a=1', FORM, undefined],
    ['another content type', 'logout_token=x', 'text/plain', undefined],
    ['a content type that begins alike', 'logout_token=x', `${FORM}2`, undefined],
    ['a content type that ends alike', 'logout_token=x', `x-${FORM}`, undefined],
  ])('with %s', (_, text, contentType, form) => {
    expect(readForm(text, contentType)).toEqual(form);
  });
});

describe('reading a body', () => {
  it('joins its parts, whose characters may be cut', async () => {
    const bytes = Buffer.from('größer');
    expect(await readText(Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]))).toBe('größer');
    expect(await readText(Readable.from([], { objectMode: false }))).toBe('');
  });

  it('ends at 1 MB', async () => {
    expect(await readText(Readable.from(['x'.repeat(BODY_LIMIT)]))).toHaveLength(BODY_LIMIT);
    expect(await readText(Readable.from(['x'.repeat(BODY_LIMIT), 'x']))).toBeUndefined();
  });

  it.each<[string, (body: PassThrough) => void]>([
    ['fails', (body) => body.destroy(new Error('aborted'))],
    ['is closed', (body) => body.destroy()],
  ])('gives nothing for one that %s before its end, then or later', async (_, end) => {
    const body = new PassThrough();
    body.write('{');
    const reading = readText(body);
    end(body);
    expect(await reading).toBeUndefined();
    expect(await readText(body)).toBeUndefined();
  });

  it('gives nothing for one that fails and is not closed', async () => {
    const body = new PassThrough({ emitClose: false });
    const reading = readText(body);
    body.destroy(new Error('aborted'));
    expect(await reading).toBeUndefined();
  });

  it('gives nothing for one that has been read already', async () => {
    const body = Readable.from(['x']);
    await readText(body);
    expect(await readText(body)).toBeUndefined();
  });
});

/** A Fastify whose parser of JSON takes what `JSON.parse` does. */
const instance: JsonParserSource = {
  getDefaultJsonParser: (...poisoning) => {
    expect(poisoning).toEqual(['error', 'error']);
    return (_request, text, done) => {
      try {
        done(null, JSON.parse(text));
      } catch (error) {
        done(error as Error, 'not to be taken');
      }
    };
  },
};

describe('the hooks that read a body in place of Fastify', () => {
  async function passed(headers: Record<string, string>, text: string) {
    const { preParsing, preValidation } = bodyHooks(instance);
    const request: FastifyBodyRequest = { headers };
    const payload = Readable.from([text]);
    await preParsing(request, {}, payload);
    const seenByFastify = request.headers;
    await preValidation(request);
    return { request, seenByFastify, payload };
  }

  it.each([
    ['JSON', { 'content-type': 'application/json' }, '{"a":1}', { a: 1 }],
    ['JSON with parameters', { 'content-type': 'Application/JSON ; charset=utf-8' }, '[1]', [1]],
    ['broken JSON', { 'content-type': 'application/json' }, '{', undefined],
    ['another kind of JSON', { 'content-type': 'application/json5' }, '{}', undefined],
    ['JSON behind another type', { 'content-type': 'x-application/json' }, '{}', undefined],
    ['a form', { 'content-type': FORM }, 'logout_token=x', { logout_token: 'x' }],
    ['a form without a logout token', { 'content-type': FORM }, 'a=1', undefined],
    ['a text', { 'content-type': 'text/plain' }, '{"a":1}', undefined],
    ['no content type', {}, '{"a":1}', undefined],
    [
      'JSON of the greatest length',
      { 'content-type': 'application/json', 'content-length': '1048576' },
      '1',
      1,
    ],
    [
      'JSON that says it is too long',
      { 'content-type': 'application/json', 'content-length': '1048577' },
      '1',
      undefined,
    ],
    [
      'JSON that is too long',
      { 'content-type': 'application/json' },
      `1${' '.repeat(BODY_LIMIT)}`,
      undefined,
    ],
  ])('make of %s the body that a route finds', async (_, headers, text, body) => {
    expect((await passed(headers, text)).request.body).toEqual(body);
  });

  it('hide from Fastify that there is a body, and give the headers back', async () => {
    const headers = {
      'content-type': 'application/json',
      'content-length': '2',
      'transfer-encoding': 'chunked',
      accept: '*/*',
    };
    const { request, seenByFastify } = await passed(headers, '{}');
    expect(seenByFastify).toEqual({ accept: '*/*' });
    expect(Object.keys(seenByFastify).sort()).toEqual(Object.keys(headers).sort());
    expect(request.headers).toBe(headers);
  });

  it('let a body flow off that nobody reads, so that the connection can be used again', async () => {
    const { payload } = await passed({ 'content-type': 'text/plain' }, 'x');
    expect(payload.readableFlowing).toBe(true);
  });

  it('do not wait for a body that nobody reads', async () => {
    const request: FastifyBodyRequest = { headers: { 'content-type': 'text/plain' } };
    const endless = new PassThrough();
    endless.write('x');
    await bodyHooks(instance).preParsing(request, {}, endless);
    expect(request.body).toBeUndefined();
    endless.destroy();
  });

  it('leave the headers of a request alone that they have not seen', async () => {
    const request: FastifyBodyRequest = { headers: { accept: '*/*' } };
    await bodyHooks(instance).preValidation(request);
    expect(request.headers).toEqual({ accept: '*/*' });
  });
});
