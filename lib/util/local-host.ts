import { isIPv4 } from 'node:net';

/** @param host a name or an address, as `URL.hostname` writes it */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/** True for names and addresses that never leave this machine. @param host as above */
export function isThisMachine(host: string): boolean {
  return isLocalName(host) || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
