import { Injectable, Module } from '@nestjs/common';
import { sessionOf } from 'nest-sessions';
import { ClsModule, ClsService, type ClsStore } from 'nestjs-cls';

export interface RequestStore extends ClsStore {
  userId?: string | undefined;
  tenantId?: string | undefined;
  sessionHandle?: string | undefined;
}

/** Any provider, however deep: it needs no request. */
@Injectable()
export class AuditLog {
  constructor(private readonly context: ClsService<RequestStore>) {}

  entry(action: string): string {
    return `${this.context.get('userId') ?? 'a stranger'} ${action}`;
  }
}

@Module({
  imports: [
    ClsModule.forRoot({
      global: true,
      // The interceptor and not the middleware, because that one runs before SessionGuard.
      interceptor: {
        mount: true,
        setup: (store, context) => {
          const session = sessionOf(context);
          store.set('userId', session?.getUserId());
          store.set('tenantId', session?.getTenantId());
          store.set('sessionHandle', session?.getHandle());
        },
      },
    }),
  ],
  providers: [AuditLog],
  exports: [AuditLog],
})
export class ContextModule {}
