import {
  BadRequestException,
  Controller,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  Req,
  Res,
  Sse,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
  type Type,
} from '@nestjs/common';
import { takeUntil, timer, type Observable } from 'rxjs';
import { CoreBadInputError } from '../errors.js';
import { PublicAccess, Session, VerifySession } from '../session.decorators.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { SessionContainer } from '../sessions/session-container.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { SessionStreams } from '../sse/session-streams.js';
import { DashboardGuard } from './dashboard.guard.js';
import { DashboardQuery, readEnding, urlOf } from './dashboard-input.js';
import { DashboardResponse } from './dashboard-response.js';
import { DashboardState } from './dashboard-state.js';
import { fillPage, PageFiles, type PageFile } from './page-files.js';
import { pageValues, RefusedPageFilter } from './refused-page.filter.js';

/** A stream ends after so long, and the page opens the next one, so that `authorize` is asked again. */
const STREAM_MS = 5 * 60_000;

/**
 * The routes of the dashboard. Each writes its response itself, so that interceptors of the application, which wrap or cache what handlers
 * return, have no effect. Reads and actions ask the store whether the operator's own session still exists.
 */
@UseGuards(DashboardGuard)
@VerifySession({ antiCsrfCheck: false, checkDatabase: true }) // the guard's own rule about other pages is stricter
class DashboardController {
  constructor(
    private readonly state: DashboardState,
    private readonly response: DashboardResponse,
    private readonly files: PageFiles,
    private readonly streams: SessionStreams,
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
  ) {}

  @Get()
  @UseFilters(RefusedPageFilter)
  @VerifySession({ checkDatabase: false }) // it holds no data, and says during an outage what is wrong
  page(@Req() req: unknown, @Res() res: unknown): void {
    this.response.send(res, fillPage(this.files.page, pageValues(req, this.runtime)));
  }

  @Get('assets/:name')
  @VerifySession({ checkDatabase: false })
  asset(@Param('name') name: string, @Res() res: unknown): void {
    sendFile(this.response, this.files.findAsset(name), res);
  }

  @Get('data/summary')
  @VerifySession({ checkDatabase: false }) // so that it is there during an outage; it names no session
  async summary(@Res() res: unknown): Promise<void> {
    this.response.sendJson(res, await this.state.summary());
  }

  @Get('data/instances')
  @VerifySession({ checkDatabase: false }) // as the summary
  async instances(@Res() res: unknown): Promise<void> {
    this.response.sendJson(res, await this.state.instances());
  }

  @Get('data/recent')
  async recent(@Session() session: SessionContainer, @Res() res: unknown): Promise<void> {
    this.response.sendJson(res, { events: this.state.recent(), operator: session.getUserId() });
  }

  @Get('data/sessions')
  async sessions(@Req() req: unknown, @Res() res: unknown): Promise<void> {
    await this.respond(res, async () => this.state.overview.find(queryOf(req).search()));
  }

  @Get('data/count')
  async count(@Req() req: unknown, @Res() res: unknown): Promise<void> {
    await this.respond(res, async () => this.state.overview.count(queryOf(req).countable()));
  }

  @Get('data/story')
  async story(@Req() req: unknown, @Res() res: unknown): Promise<void> {
    await this.respond(res, async () => {
      const sessionHandle = queryOf(req).text('sessionHandle');
      if (sessionHandle === undefined) throw new BadRequestException('sessionHandle is missing');
      const story = await this.state.overview.story(sessionHandle);
      if (story === undefined)
        throw new NotFoundException('Neither the store nor the audit trail knows this session');
      return { ...story, events: this.state.recent(sessionHandle) };
    });
  }

  @Get('data/trail')
  async trail(@Req() req: unknown, @Res() res: unknown): Promise<void> {
    await this.respond(res, async () => {
      const query = queryOf(req);
      const { userId, tenantId, sessionHandle, limit } = query.search();
      const search = {
        userId,
        tenantId,
        sessionHandle,
        limit,
        kinds: query.kinds(),
        after: query.text('after'),
      };
      return (await this.state.overview.trail(search)) ?? { isMissing: true };
    });
  }

  @Get('data/keys')
  async keys(@Res() res: unknown): Promise<void> {
    await this.respond(res, async () => ({ keys: await this.state.overview.keys() }));
  }

  @Sse('events')
  @VerifySession({ checkDatabase: false }) // `untilSessionEnds` asks
  events(@Session() session: SessionContainer): Observable<object> {
    const ending = timer(STREAM_MS);
    return this.state.events.pipe(takeUntil(ending), this.streams.untilSessionEnds(session));
  }

  @Post('actions/end')
  @HttpCode(200)
  async end(@Session() session: SessionContainer, @Req() req: unknown, @Res() res: unknown): Promise<void> {
    const { selection, reason } = readEnding((req as { body?: unknown }).body);
    await this.respond(res, async () => {
      const ended = await this.state.overview.end(selection, { reason, initiator: session.getUserId() });
      return { ended: ended ?? null, atMs: this.state.nowMs };
    });
  }

  /** Sends a result. An error that the arguments of an operator cause becomes a 400 with the reason. */
  private async respond(res: unknown, work: () => Promise<unknown>): Promise<void> {
    try {
      this.response.sendJson(res, await work());
    } catch (error) {
      if (error instanceof CoreBadInputError || error instanceof TypeError)
        throw new BadRequestException(error.message, { cause: error });
      throw error;
    }
  }
}

/** The files for visitors who are not let in: the looks of the refused page, and its script. */
@PublicAccess()
class OpenFilesController {
  constructor(
    private readonly response: DashboardResponse,
    private readonly files: PageFiles,
  ) {}

  @Get('open/:name')
  open(@Param('name') name: string, @Res() res: unknown): void {
    sendFile(this.response, this.files.findOpen(name), res);
  }
}

function sendFile(response: DashboardResponse, file: PageFile | undefined, res: unknown): void {
  if (file === undefined) throw new NotFoundException('The page has no such file');
  response.send(res, file);
}

function queryOf(req: unknown): DashboardQuery {
  return new DashboardQuery(urlOf(req));
}

/** Makes the controllers of one dashboard, because a decorator gives each class one path. */
export function dashboardControllers(path: string): Type[] {
  class Dashboard extends DashboardController {}
  class OpenFiles extends OpenFilesController {}
  Controller({ path, version: VERSION_NEUTRAL })(Dashboard);
  Controller({ path, version: VERSION_NEUTRAL })(OpenFiles);
  return [Dashboard, OpenFiles];
}
