// The floor: no guard, no session.
import { serveApp } from './http-subject.mjs';

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  return serveApp(options, { handler: () => ({ userId: 'user-1' }) });
}
