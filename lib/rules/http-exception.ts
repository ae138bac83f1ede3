import 'reflect-metadata';
import { HttpException, type ExceptionFilter } from '@nestjs/common';
import { FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants.js';
import { findErrorRule, HANDLED_ERRORS, type HandledError } from '../sessions/error-responder.js';
import type { ApplicationConfig } from './application-config.js';

/**
 * Makes our errors what the filters of applications, Nest's own and error trackers look for: `instanceof HttpException`,
 * `getStatus()`, `getResponse()`, `statusCode`, `errorCode`. Otherwise a catch-all filter would respond to a missing session
 * with a 500. The classes themselves know neither Nest nor a status, so their prototypes are linked here, at the edge.
 */
export function linkToHttpException(): void {
  for (const { prototype } of HANDLED_ERRORS) {
    if (prototype instanceof HttpException) continue;
    // `instanceof` CoreError holds on, because our classes recognise their instances by a mark.
    Object.setPrototypeOf(prototype, HttpException.prototype);
    define(prototype, 'status', (error) => findErrorRule(error).status);
    define(prototype, 'statusCode', (error) => (error as unknown as HttpException).getStatus());
    define(prototype, 'errorCode', (error) => findErrorRule(error).code);
    define(prototype, 'response', responseBody);
    define(prototype, 'expose', () => false); // to the package http-errors: the message is not for clients
  }
}

function responseBody(error: HandledError): object {
  const { message, details } = findErrorRule(error);
  return { message, ...details };
}

/** Defines a computed property that can be replaced on an error, as an ordinary one can. */
function define(prototype: object, name: string, read: (error: HandledError) => unknown): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: HandledError) {
      return read(this);
    },
    set(this: object, value: unknown) {
      Object.defineProperty(this, name, { value, configurable: true, writable: true });
    },
  });
}

/**
 * Moves our filter before the application's global filters for `HttpException`, which our errors count as: Nest asks the last
 * one first. Such a filter formats Nest's exceptions; ours also clears tokens and calls the `errorHandlers`.
 */
export function precedeHttpExceptionFilters(filter: ExceptionFilter, config: ApplicationConfig): void {
  const filters = config.getGlobalFilters();
  const last = filters.findLastIndex((each) => catchesOnly(each, HttpException));
  const own = filters.indexOf(filter);
  if (own === -1 || own > last) return;
  filters.splice(own, 1);
  filters.splice(last, 0, filter);
}

function catchesOnly(filter: object, kind: unknown): boolean {
  const caught: unknown = Reflect.getMetadata(FILTER_CATCH_EXCEPTIONS, filter.constructor);
  return Array.isArray(caught) && caught.length > 0 && caught.every((each) => each === kind);
}
