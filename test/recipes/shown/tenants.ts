import {
  ForbiddenException,
  Inject,
  Injectable,
  Scope,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import {
  ContextIdFactory,
  REQUEST,
  type ContextId,
  type ContextIdStrategy,
  type HostComponentInfo,
} from '@nestjs/core';
import { sessionOf } from 'nest-sessions';

/** The tenants that exist: with any name from outside, strangers could make instances without end. */
const tenants = new Map<string, ContextId>(
  ['acme', 'globex'].map((tenantId) => [tenantId, ContextIdFactory.create()]),
);

interface TenantRequest {
  headers: Record<string, string | string[] | undefined>;
}

/** The first label of the host: `acme` of acme.example.com. A client can send any host, so TenantGuard compares it with the session. */
export function tenantOfRequest({ headers }: TenantRequest): string {
  return String(headers['host'] ?? '').split('.')[0] ?? '';
}

/** One instance of the durable providers for each tenant, in place of one for each request. */
export class TenantStrategy implements ContextIdStrategy<TenantRequest> {
  attach(contextId: ContextId, request: TenantRequest): ReturnType<ContextIdStrategy['attach']> {
    const tenantId = tenantOfRequest(request);
    const ofTenant = tenants.get(tenantId) ?? contextId;
    return {
      resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? ofTenant : contextId),
      payload: { tenantId },
    };
  }
}

/** The things of one tenant: a pool of connections, for example. */
@Injectable({ scope: Scope.REQUEST, durable: true })
export class TenantDatabase {
  readonly tenantId: string;

  constructor(@Inject(REQUEST) { tenantId }: { tenantId: string }) {
    this.tenantId = tenantId;
  }
}

/** Stands after SessionGuard: without it a user of one tenant would reach the data of another by the name of the host. */
@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const session = sessionOf(context);
    const tenantId = tenantOfRequest(context.switchToHttp().getRequest<TenantRequest>());
    if (session === undefined || session.getTenantId() === tenantId) return true;
    throw new ForbiddenException('This session belongs to another tenant');
  }
}
