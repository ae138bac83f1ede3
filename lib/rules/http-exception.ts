import 'reflect-metadata';
import {
  HttpException,
  Injectable,
  type ArgumentsHost,
  type ExceptionFilter,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants.js';
import { HttpAdapterHost } from '@nestjs/core';
import { ExceptionsHandler } from '@nestjs/core/exceptions/exceptions-handler.js';
import { readMember } from '../util/json.js';
import { ErrorResponder } from '../sessions/error-responder.js';
import { findErrorRule, HANDLED_ERRORS, isHandledError, type HandledError } from '../sessions/error-rules.js';
import { findRequestState } from '../sessions/request-state.js';
import type { ApplicationConfig } from './application-config.js';

/** The modules that run in this process; weak, because not every application is closed. */
const running = new Set<WeakRef<StatusCodes>>();

/**
 * The status codes of a module, for errors about sessions wherever they are thrown. An error does not know its request: where
 * modules differ, it has the default until a guard or Nest's handler of exceptions sees it.
 */
@Injectable()
export class StatusCodes implements OnModuleInit, OnApplicationShutdown {
  private readonly reference = new WeakRef(this);

  constructor(
    private readonly errorResponder: ErrorResponder,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** @returns the status on which all modules agree, of one application or of the process; otherwise undefined */
  static agreed(error: HandledError, httpAdapter?: unknown): number | undefined {
    const statuses = new Set<number>();
    for (const reference of running) {
      const codes = reference.deref();
      if (codes === undefined) running.delete(reference);
      else if (httpAdapter === undefined || codes.adapterHost.httpAdapter === httpAdapter)
        statuses.add(codes.errorResponder.status(error));
    }
    return statuses.size === 1 ? [...statuses][0] : undefined;
  }

  onModuleInit(): void {
    running.add(this.reference);
  }

  onApplicationShutdown(): void {
    running.delete(this.reference);
  }
}

/** Labels each error of ours before a filter sees it, by the module of its request or of its application. */
function labelBeforeFilters(): void {
  const { prototype } = ExceptionsHandler;
  const { next } = prototype;
  prototype.next = function (this: ExceptionsHandler, error: Error | HttpException, host: ArgumentsHost) {
    if (isHandledError(error)) {
      const responder = findRequestState(host.getArgByIndex(0))?.errorResponder;
      const status =
        responder?.status(error) ?? StatusCodes.agreed(error, readMember(this, 'applicationRef'));
      if (status !== undefined) labelStatus(error, status);
    }
    next.call(this, error, host);
  };
}

/** Gives an error the configured status, for filters of the application that read `status` and `getStatus()`. */
export function labelStatus(error: object, value: number): void {
  if (!Object.isExtensible(error) || Object.hasOwn(error, 'status')) return; // of a subclass, or labelled before
  if (readMember(error, 'status') === value) return;
  Object.defineProperty(error, 'status', { value, configurable: true, writable: true });
}

/**
 * Makes our errors what the filters of applications, Nest's own and error trackers look for: `instanceof HttpException`,
 * `getStatus()`, `getResponse()`, `statusCode`, `errorCode`. Otherwise a catch-all filter would respond to a missing session
 * with a 500. The classes themselves know neither Nest nor a status, so their prototypes are linked here, at the edge.
 */
export function linkToHttpException(): void {
  labelBeforeFilters();
  for (const { prototype } of HANDLED_ERRORS) {
    if (prototype instanceof HttpException) continue;
    // `instanceof` CoreError holds on, because our classes recognise their instances by a mark.
    Object.setPrototypeOf(prototype, HttpException.prototype);
    define(prototype, 'status', (error) => StatusCodes.agreed(error) ?? findErrorRule(error).status);
    define(prototype, 'statusCode', (error) => (error as unknown as HttpException).getStatus());
    define(prototype, 'errorCode', (error) => findErrorRule(error).code);
    define(prototype, 'response', responseBody);
    // No `expose`: Nest's adapters copy errors of middleware that have it, as those of the package http-errors.
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
