import type { JsonObject } from './json.js';

/**
 * The content of the access token payload, for applications that type it once for all sessions: by declaration merging. As long as
 * it is empty, payloads are JSON objects, and each signature takes its own type (`SessionContainer<Payload>`).
 *
 * @example
 * declare module 'nest-sessions' {
 *   interface SessionPayload { plan: 'free' | 'pro' }
 * }
 * @publicApi
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- applications fill it by declaration merging
export interface SessionPayload {}

/**
 * The content of the session data, which stays on the server, for applications that type it once: by declaration merging, as
 * {@link SessionPayload}.
 *
 * @publicApi
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- applications fill it by declaration merging
export interface SessionDataInDatabase {}

type Declared<Content> = keyof Content extends never ? JsonObject : Content;
type Update<Content> = keyof Content extends never
  ? object
  : { [Name in keyof Content]?: Content[Name] | null };
type New<Content> = keyof Content extends never ? object : Partial<Content>;

/** {@link SessionPayload} where the application has declared it, otherwise any JSON object. */
export type DefaultPayload = Declared<SessionPayload>;

/** {@link SessionDataInDatabase} where the application has declared it, otherwise any JSON object. */
export type DefaultData = Declared<SessionDataInDatabase>;

/** Some names of the payload; null removes one. */
export type PayloadUpdate = Update<SessionPayload>;

/** Some names of the session data; null removes one. */
export type DataUpdate = Update<SessionDataInDatabase>;

/** The payload that a sign-in gives: claims and the defaults of a schema may add the rest. */
export type NewPayload = New<SessionPayload>;

/** The session data that a sign-in gives, or that replace those before. */
export type NewData = New<SessionDataInDatabase>;
