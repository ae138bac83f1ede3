import 'reflect-metadata';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { readMember } from '../util/json.js';
import type { Enforcement } from './handler-guards.js';

/** A method that could be a handler. */
export interface Handler {
  readonly controller: Function;
  readonly name: string | symbol;
  readonly method: Function;
}

/** How Nest runs guards for a kind of handler. */
export interface HandlerKind {
  /** Whether guards run for it at all. */
  readonly guards: Enforcement;
  /** Whether global guards are among them. */
  readonly globalGuards: Enforcement;
  /** False where a guard that is not visible here could be meant, or the method may be no handler. */
  readonly isCertain: boolean;
  /** False where the rules of a class may be meant for its other methods, whose kind is known. */
  readonly takesRulesOfClass: boolean;
  /** The advice for a handler where none of them is `SessionGuard`. */
  readonly remedy: string;
}

/** The application that the handler is part of. */
export interface HandlerSurroundings {
  readonly modules: ModulesContainer;
  /** False in a microservice without HTTP, and in a context that serves nothing. */
  readonly servesHttp: boolean;
}

/** The keys of the packages' metadata, which we do not import. */
const PATTERN = 'microservices:pattern';
const GATEWAY = 'websockets:is_gateway';
const MESSAGE = 'websockets:message_mapping';
const RESOLVER_TYPE = 'graphql:resolver_type';
const RESOLVER_NAME = 'graphql:resolver_name';
const RESOLVED_PROPERTY = 'graphql:resolve_property';
const REFERENCE = 'graphql:resolve_reference';
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

const ROOT_TYPES: readonly unknown[] = ['Query', 'Mutation', 'Subscription'];
const GATEWAY_HOOKS: readonly unknown[] = ['handleConnection', 'handleDisconnect', 'afterInit'];

/** Methods of schedulers, event emitters and job queues (`@nestjs/schedule`, `event-emitter`, `bull`, `bullmq`), and classes of these. */
const OF_JOBS = /^(SCHEDULE_|EVENT_LISTENER_METADATA$|bull(mq)?:)/;

const ADD_GUARD =
  "put @UseGuards(SessionGuard) on it or on its class, or close every route with SessionModule.forRoot({ guard: 'global' })";

/** Returns whether Nest or another library made a method a handler: decorators of handlers leave metadata on the function. */
export function isHandler({ method }: Handler): boolean {
  return Reflect.getMetadataKeys(method).some((key) => typeof key === 'string');
}

/** Returns how Nest runs guards for a method; undefined if this application does not serve it. */
export function handlerKind(
  handler: Handler,
  { modules, servesHttp }: HandlerSurroundings,
): HandlerKind | undefined {
  const { controller, method, name } = handler;
  const has = (key: string): boolean => Reflect.hasMetadata(key, method);
  const reached: HandlerKind = {
    guards: 'yes',
    globalGuards: 'yes',
    isCertain: true,
    takesRulesOfClass: true,
    remedy: ADD_GUARD,
  };
  if (has(METHOD_METADATA)) return servesHttp ? reached : undefined;
  // A microservice may have global guards of its own, which are not visible here.
  if (has(PATTERN)) return { ...reached, globalGuards: servesHttp ? 'unknown' : 'yes', isCertain: false };
  if (has(MESSAGE)) return servesHttp ? GATEWAY_MESSAGE : undefined;
  if (isJob(handler)) return { ...JOB, isCertain: servesHttp };
  if (Reflect.hasMetadata(GATEWAY, controller) && GATEWAY_HOOKS.includes(name)) return GATEWAY_HOOK;
  if ([RESOLVER_TYPE, RESOLVER_NAME, RESOLVED_PROPERTY, REFERENCE].some(has)) {
    if (!servesHttp) return undefined;
    return isField(handler) ? fieldKind(modules, reached) : reached;
  }
  return { ...reached, isCertain: servesHttp && isHandler(handler), takesRulesOfClass: false };
}

/** Nest runs global guards in gateways since version 12 only. */
const GATEWAY_MESSAGE: HandlerKind = {
  guards: 'yes',
  globalGuards: 'unknown',
  isCertain: true,
  takesRulesOfClass: true,
  remedy:
    'put @UseGuards(SessionGuard) on the gateway, because not every version of Nest runs global guards there',
};

const GATEWAY_HOOK: HandlerKind = {
  guards: 'no',
  globalGuards: 'no',
  isCertain: true,
  takesRulesOfClass: true,
  remedy:
    'Nest runs no guards for it: remove the decorator, and call SessionSockets.admit(client) in handleConnection',
};

const JOB: HandlerKind = {
  guards: 'no',
  globalGuards: 'no',
  isCertain: true,
  takesRulesOfClass: false,
  remedy:
    'Nest runs no guards for jobs and events: remove the decorator, and check what the job is given where it is put into the queue',
};

function isJob({ controller, method, name }: Handler): boolean {
  const isOfJobs = (key: unknown): boolean => typeof key === 'string' && OF_JOBS.test(key);
  return (
    Reflect.getMetadataKeys(method).some(isOfJobs) ||
    (name === 'process' && Reflect.getMetadataKeys(controller).some(isOfJobs))
  );
}

/** Nest reads the type of a resolver in the same way: of the method, else of its class. */
function isField({ controller, method }: Handler): boolean {
  const type: unknown =
    Reflect.getMetadata(RESOLVER_TYPE, method) ?? Reflect.getMetadata(RESOLVER_TYPE, controller);
  return !ROOT_TYPES.includes(type);
}

function fieldKind(modules: ModulesContainer, reached: HandlerKind): HandlerKind {
  const verdicts = graphqlOptions(modules).map((options) => {
    const enhancers = readMember(options, 'fieldResolverEnhancers');
    return Array.isArray(enhancers) && enhancers.includes('guards');
  });
  if (verdicts.length > 0 && verdicts.every(Boolean)) return reached;
  const guards = verdicts.length === 0 || verdicts.some(Boolean) ? 'unknown' : 'no';
  const remedy =
    "Nest runs no guards for fields of objects unless GraphQLModule has fieldResolverEnhancers: ['guards']; with it, " +
    ADD_GUARD;
  return { ...reached, guards, takesRulesOfClass: false, remedy };
}

function graphqlOptions(modules: ModulesContainer): unknown[] {
  return [...modules.values()].flatMap(({ providers }) => {
    const options: unknown = providers.get(GRAPHQL_OPTIONS)?.instance;
    return options === undefined || options === null ? [] : [options];
  });
}
