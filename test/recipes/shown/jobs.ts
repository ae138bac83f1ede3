import { InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Controller, Post, UseGuards } from '@nestjs/common';
import { UnrecoverableError, type Job, type Queue } from 'bullmq';
import { Session, SessionContainer, SessionGuard, SessionService } from 'nest-sessions';

/** The user of the job, and the session on whose behalf it runs. Never a token: a queue keeps its jobs, and shows them in dashboards. */
export interface ReportJob {
  userId: string;
  sessionHandle: string;
}

@Controller('reports')
@UseGuards(SessionGuard)
export class ReportsController {
  constructor(@InjectQueue('reports') private readonly queue: Queue<ReportJob>) {}

  @Post()
  async order(@Session() session: SessionContainer): Promise<object> {
    const { id } = await this.queue.add('report', {
      userId: session.getUserId(),
      sessionHandle: session.getHandle(),
    });
    return { id };
  }
}

@Processor('reports')
export class ReportsProcessor extends WorkerHost {
  constructor(private readonly sessions: SessionService) {
    super();
  }

  /** Guards do not run for jobs, so what the session allowed is checked again here: the user may have signed out since. */
  override async process({ data }: Job<ReportJob>): Promise<string> {
    const information = await this.sessions.getSessionInformation(data.sessionHandle);
    if (information?.userId !== data.userId) throw new UnrecoverableError('The session has ended');
    return `report for ${information.userId}`;
  }
}
