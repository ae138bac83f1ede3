import 'reflect-metadata';
import type { PipeTransform } from '@nestjs/common';
import { PARAMTYPES_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from './application-config.js';

/** The mark of the data of `@Session()`, of each copy of the package: Nest passes the data to pipes. */
const SESSION_PARAMETER = Symbol.for('nest-sessions.SessionParameter');

/** The argument of one `@Session()`, as the data of its parameter. */
export class SessionParameter<T> {
  static {
    Object.defineProperty(this.prototype, SESSION_PARAMETER, { value: true });
  }

  constructor(readonly what: T) {}
}

/**
 * Hides the declared type of a parameter from pipes of classes and handlers: with `validateCustomDecorators` a `ValidationPipe`
 * would build a new `SessionContainer` out of the session. The compiler sets the types before decorators of parameters run.
 */
export function hideParameterType(target: object, name: string | symbol | undefined, index: number): void {
  if (name === undefined) return;
  const types: unknown = Reflect.getOwnMetadata(PARAMTYPES_METADATA, target, name);
  if (!Array.isArray(types)) return;
  const hidden = types.map((type: unknown, each) => (each === index ? Object : type));
  Reflect.defineMetadata(PARAMTYPES_METADATA, hidden, target, name);
}

/** Makes the application's global pipes pass over `@Session()`: a session comes from the guard and not from the client. */
export function passOverSessions(config: ApplicationConfig): void {
  const pipes = config.getGlobalPipes();
  pipes.forEach((pipe, index) => {
    const view = Object.create(pipe, {
      transform: {
        value: (value: unknown, metadata: { readonly data?: unknown }): unknown =>
          isSessionParameter(metadata.data) ? value : pipe.transform(value, metadata as never),
      },
    }) as PipeTransform;
    pipes[index] = view;
  });
}

function isSessionParameter(data: unknown): boolean {
  return typeof data === 'object' && data !== null && SESSION_PARAMETER in data;
}
