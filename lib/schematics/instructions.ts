import type { Application } from './project.js';
import type { Settings } from './settings.js';
import { CORS } from './main-file.js';
import type { ModuleAddition } from './module-file.js';
import { indentLines } from './source-edit.js';
import { STORES } from './stores.js';

/** How to change the module by hand. */
export function moduleInstructions(
  { modulePath }: Application,
  { imports, element }: ModuleAddition,
): string {
  const lines = imports.map(({ names, from }) => `import { ${names.join(', ')} } from '${from}';`);
  return (
    `${modulePath} is left as it is, because it is not as "nest new" makes it. Add to its imports, and to "imports" of ` +
    `@Module():\n\n  ${[...lines, '', ...element.split('\n')].join('\n  ')}\n`
  );
}

/** How to change the file that starts the application by hand. */
export function mainInstructions({ mainPath, sourceRoot }: Application): string {
  const path = mainPath ?? `${sourceRoot}/main.ts`;
  return (
    `${path} is left as it is, because it sets CORS by itself or is not as "nest new" makes it. Where the application is ` +
    `created, add, with sessionCorsOptions from 'nest-sessions':\n\n  ${indentLines(CORS, '  ')}\n`
  );
}

/** A controller that signs in, and has one guarded route. */
function controller({ guard }: Settings): string {
  const isGlobal = guard === 'global';
  return `import { Controller, Get, Post, Req, Res${isGlobal ? '' : ', UseGuards'} } from '@nestjs/common';
import { ${isGlobal ? 'PublicAccess, Session' : 'Session, SessionGuard'}, SessionService } from 'nest-sessions';

@Controller()
export class SignInController {
  constructor(private readonly sessions: SessionService) {}
${isGlobal ? '\n  @PublicAccess()' : ''}
  @Post('login')
  async login(@Req() req: unknown, @Res({ passthrough: true }) res: unknown) {
    const userId = 'user-1'; // check a password first: that part is yours
    await this.sessions.createNewSession(req, res, { userId });
    return { status: 'signed in' };
  }

  @Get('me')${isGlobal ? '' : '\n  @UseGuards(SessionGuard)'}
  me(@Session('userId') userId: string) {
    return { userId };
  }
}`;
}

/** The last text of the command: what there is, and how to sign in. */
export function nextSteps(settings: Settings, { sourceRoot }: Application): string {
  const { place } = STORES[settings.store] ?? {};
  const who =
    settings.guard === 'global'
      ? 'Every route needs a session now: @PublicAccess() opens one.'
      : 'Routes with @UseGuards(SessionGuard) need a session.';
  return `
nest-sessions is set up. Sessions are ${place}. ${who}

A route that signs in, and one that knows who is signed in: put this into ${sourceRoot}/sign-in.controller.ts, and SignInController into
"controllers" of your module.

${controller(settings)}

Then, with the application running:

  curl -i localhost:3000/me                                            # 401
  curl -c jar -X POST -H 'st-auth-mode: cookie' localhost:3000/login   # {"status":"signed in"}
  curl -b jar localhost:3000/me                                        # {"userId":"user-1"}

In production set API_DOMAIN and WEBSITE_DOMAIN, the addresses of the API and of the website.
`;
}
