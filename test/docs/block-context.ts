/**
 * Names that blocks may use without declaring them, because the text around them makes clear what they are.
 * Everything else a block declares or imports itself.
 */
export const CONTEXT = `
import type { INestApplication } from '@nestjs/common';
import type { AppInfoOptions, SessionEvent } from 'nest-sessions';

declare global {
  /** The application of main.ts. */
  const app: INestApplication;
  /** appName, apiDomain and websiteDomain. */
  const appInfo: AppInfoOptions;
  const connectionString: string;
  const apiKey: string;
  /** The reader's own: what a user may do, and whom to tell. */
  function rolesOf(userId: string): string[];
  function alarm(event: SessionEvent): void;
  /** As test runners have it. */
  function it(name: string, run: () => Promise<void>): void;
}
`;

/** `src/app.module.ts` of the reader. */
export const APP_MODULE = 'export class AppModule {}';

/** The imports that blocks marked as fragments get for the names that they use. */
export const IMPORTS_OF_FRAGMENTS: Readonly<Record<string, readonly string[]>> = {
  '@nestjs/common': [
    'Body',
    'Controller',
    'Delete',
    'Get',
    'Inject',
    'Injectable',
    'Module',
    'Param',
    'Patch',
    'Post',
    'Put',
    'Req',
    'Res',
    'UseFilters',
    'UseGuards',
  ],
  '@nestjs/core': ['APP_FILTER', 'APP_GUARD', 'NestFactory', 'Reflector'],
  rxjs: ['filter', 'map'],
};
