import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import type { Settings } from './settings.js';

/** The output of `vite build`, beside this compiled file. */
const PAGE = new URL('./page/', import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Serves the built page, in the place of a web server or a content delivery network, and tells it where the API is. */
export async function startPage({ websitePort, apiDomain }: Settings): Promise<Server> {
  const server = createServer((request, response) => void serve(request, response, apiDomain));
  await once(server.listen(websitePort, 'localhost'), 'listening');
  return server;
}

async function serve(request: IncomingMessage, response: ServerResponse, apiDomain: string): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const name = pathname === '/' ? 'index.html' : pathname.slice(1);
  try {
    const content = await readFile(new URL(name, PAGE));
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' });
    response.end(name === 'index.html' ? content.toString().replace('API_DOMAIN', apiDomain) : content);
  } catch {
    response.writeHead(404).end();
  }
}
