import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** The addresses of the sample: two ports of `localhost` are two origins of one site. */
export interface Settings {
  readonly apiPort: number;
  readonly apiDomain: string;
  readonly websitePort: number;
  readonly websiteDomain: string;
  /** Life of an access token: short, to show refreshes. */
  readonly accessTokenSeconds: number;
}

/**
 * Resolves the addresses of the sample.
 *
 * @param apiPort 0 takes a free one, because each side has to know the address of the other
 * @param websitePort 0 takes a free one, too
 */
export async function settingsFor(
  apiPort: number,
  websitePort: number,
  accessTokenSeconds: number,
): Promise<Settings> {
  const [api, website] = [apiPort || (await freePort()), websitePort || (await freePort())];
  return {
    apiPort: api,
    apiDomain: `http://localhost:${api}`,
    websitePort: website,
    websiteDomain: `http://localhost:${website}`,
    accessTokenSeconds,
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
