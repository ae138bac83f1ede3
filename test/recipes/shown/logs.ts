import {
  Injectable,
  Module,
  RequestMethod,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { sessionOf, sessionRedactPaths } from 'nest-sessions';
import { LoggerModule, PinoLogger, type Params } from 'nestjs-pino';
import type { Observable } from 'rxjs';

/** Puts user and session into each line that is logged for a request from here on, the line about the response included. */
@Injectable()
export class SessionLogInterceptor implements NestInterceptor {
  constructor(private readonly logger: PinoLogger) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const session = sessionOf(context);
    if (session !== undefined)
      this.logger.assign({ userId: session.getUserId(), sessionHandle: session.getHandle() });
    return next.handle();
  }
}

/** Tokens are left out of the line that pino writes for each request. */
export const logSettings = {
  forRoutes: [{ path: '*path', method: RequestMethod.ALL }], // the default matches no request on Fastify
  pinoHttp: { redact: [...sessionRedactPaths] },
  assignResponse: true,
} satisfies Params;

@Module({
  imports: [LoggerModule.forRoot(logSettings)],
  providers: [{ provide: APP_INTERCEPTOR, useClass: SessionLogInterceptor }],
})
export class LogModule {}
