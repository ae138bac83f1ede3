export { RpcSessionGuard } from './rpc-session.guard.js';
export { SessionHealthIndicator, type SessionHealth } from './session-health-indicator.js';
export { addSessionsToOpenApi, type OpenApiDocument, type OpenApiOptions } from './open-api.js';
