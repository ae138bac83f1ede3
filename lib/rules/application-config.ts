import type { CanActivate, ExceptionFilter } from '@nestjs/common';
import type { ExternalContextCreator } from '@nestjs/core';
import { readMember } from '../util/json.js';

/** The members that we use of Nest's `ApplicationConfig`. */
export interface ApplicationConfig {
  getGlobalGuards(): CanActivate[];
  getGlobalRequestGuards(): object[];
  getGlobalFilters(): ExceptionFilter[];
}

const MEMBERS = ['getGlobalGuards', 'getGlobalRequestGuards', 'getGlobalFilters'];

/** Finds the configuration of an application, which cannot be injected; undefined if a version of Nest keeps it elsewhere. */
export function applicationConfig(contexts: ExternalContextCreator): ApplicationConfig | undefined {
  const config = readMember(readMember(contexts, 'container'), 'applicationConfig');
  const isComplete = MEMBERS.every((name) => typeof readMember(config, name) === 'function');
  return isComplete ? (config as ApplicationConfig) : undefined;
}
