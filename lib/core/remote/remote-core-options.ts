import type { CoreProvider } from '../core-provider.js';
import { HttpCoreClient } from './http-core-client.js';
import { resolveRemoteCoreOptions, type RemoteCoreOptions } from './remote-core-config.js';

/**
 * Sessions issued by a SuperTokens Core service (CDI 4.0 to 5.4) instead of inside this process.
 *
 * The application starts while the core is down: it is first asked when it is first needed.
 *
 * @example
 * SessionModule.forRoot({ appInfo, core: remoteCore({ connectionURI: 'https://core.example.com', apiKey }) })
 * @publicApi
 */
export function remoteCore(options: RemoteCoreOptions): CoreProvider {
  const { config, problems } = resolveRemoteCoreOptions(options);
  return { problems, create: (context) => new HttpCoreClient(config, context) };
}
