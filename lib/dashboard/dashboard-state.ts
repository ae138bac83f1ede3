import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { CoreBadInputError } from '../errors.js';
import { SessionEvents } from '../events/session-events.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { SessionService } from '../session.service.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { Clock } from '../util/clock.js';
import { withTimeout } from '../util/with-timeout.js';
import { Activity, CURVES, sumSeries, type NumberedEvent } from './activity.js';
import { InstanceReports, type InstanceReport, type OwnReport } from './instance-reports.js';
import { SessionOverview } from './session-overview.js';

const TIMEOUT_MS = 2000;

/** A message of the stream. */
interface StreamedEvent {
  readonly data: NumberedEvent;
}

/** The facts that the page shows beside lists: counters, curves, the last events, and the state of core, feed and instances. */
@Injectable()
export class DashboardState implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly overview: SessionOverview;
  private readonly activity: Activity;
  private readonly reports: InstanceReports;
  private readonly streams = new Set<() => void>();
  private isEnding = false;

  constructor(
    sessions: SessionService,
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    events: SessionEvents,
    private readonly clock: Clock,
  ) {
    this.overview = new SessionOverview(sessions, runtime.core);
    this.activity = new Activity(events, clock, runtime.deviceSettings);
    this.activity.start();
    this.reports = new InstanceReports(runtime.core.sharedValues, clock, () => this.report());
  }

  onApplicationBootstrap(): void {
    this.reports.start();
  }

  /** Ends the streams, because a server waits for open connections when it closes. */
  async beforeApplicationShutdown(): Promise<void> {
    this.isEnding = true;
    for (const end of this.streams) end();
    this.activity.stop();
    await this.reports.stop();
  }

  get nowMs(): number {
    return this.clock.now();
  }

  /** Events from now on, until the application shuts down. */
  get events(): Observable<StreamedEvent> {
    return new Observable((subscriber) => {
      const end = (): void => subscriber.complete();
      if (this.isEnding) return end();
      this.streams.add(end);
      subscriber.add(() => this.streams.delete(end));
      subscriber.add(this.activity.listen((data) => subscriber.next({ data })));
    });
  }

  /** The last events of this instance, oldest first. @param sessionHandle those of one session */
  recent(sessionHandle?: string): readonly NumberedEvent[] {
    const { recent } = this.activity;
    if (sessionHandle === undefined) return recent;
    return recent.filter((event) => 'sessionHandle' in event && event.sessionHandle === sessionHandle);
  }

  /** The first view of the page. Each part may be missing while the store does not respond. */
  async summary() {
    const [core, known, live] = await Promise.all([this.ping(), this.readReports(), this.countLive()]);
    const own = known?.[0] ?? this.reports.own();
    const reports = known ?? [own];
    return {
      nowMs: this.clock.now(),
      core,
      live,
      hour: sumSeries(
        reports.map(({ hour }) => hour),
        own.hour,
      ),
      day: sumSeries(
        reports.map(({ day }) => day),
        own.day,
      ),
      instances: reports.map(withoutCurves),
      areInstancesShared: this.reports.isShared,
      areInstancesKnown: known !== undefined,
    };
  }

  /** The instances as in the summary, at the cost of no count: for a page that asks until all of them know of an end. */
  async instances() {
    const known = await this.readReports();
    const instances = (known ?? [this.reports.own()]).map(withoutCurves);
    return { instances, areInstancesKnown: known !== undefined };
  }

  private report(): OwnReport {
    const { core, revocations } = this.runtime;
    const { isResponding } = core;
    const ageMs = revocations?.ageMs ?? Number.POSITIVE_INFINITY;
    return {
      ...(isResponding !== undefined && { isResponding }),
      ...(revocations && {
        feed: {
          state: revocations.state,
          description: revocations.description,
          ...(Number.isFinite(ageMs) && { knownUntilMs: this.clock.now() - ageMs }),
          kept: revocations.size,
        },
      }),
      hour: this.activity.series(CURVES.hour),
      day: this.activity.series(CURVES.day),
    };
  }

  private async ping() {
    const { core } = this.runtime;
    const startMs = performance.now();
    const isUp = await inTime(core.ping()).then(
      () => true,
      () => false, // a message of a driver can hold secrets
    );
    return { isUp, durationMs: Math.round(performance.now() - startMs), description: core.description };
  }

  /** @returns undefined while the store does not respond */
  private async readReports(): Promise<readonly InstanceReport[] | undefined> {
    return inTime(this.reports.all()).catch(() => undefined);
  }

  /** Counts exactly as long as that is cheap. @returns undefined for a core that lists no sessions, and while it does not respond */
  private async countLive() {
    try {
      return await inTime(this.overview.count({}));
    } catch (error) {
      return error instanceof CoreBadInputError ? { refused: error.message } : undefined;
    }
  }
}

function withoutCurves({ hour: _hour, day: _day, ...instance }: InstanceReport) {
  return instance;
}

/** So that one part of the store that does not respond keeps nobody from seeing the others. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  return withTimeout(work, TIMEOUT_MS, 'The core or its store takes too long', { keepsProcess: false });
}
