import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { PageFile } from './page-files.js';

/** Allows files of the same origin alone, and no frame around the page. Texts never become markup, because the browser refuses the functions for that. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** Writes the responses of the dashboard, on Express and Fastify. */
@Injectable()
export class DashboardResponse implements BeforeApplicationShutdown {
  private isEnding = false;

  constructor(private readonly host: HttpAdapterHost) {}

  /** A server that closes waits for its connections, and an open page would go on using one for as long as it asks. */
  beforeApplicationShutdown(): void {
    this.isEnding = true;
  }

  sendJson(res: unknown, body: unknown): void {
    this.send(res, { type: 'application/json; charset=utf-8', text: JSON.stringify(body) });
  }

  send(res: unknown, { type, text }: PageFile, status = 200): void {
    const { httpAdapter } = this.host;
    for (const [name, value] of Object.entries({ ...HEADERS, 'Content-Type': type }))
      httpAdapter.setHeader(res, name, value);
    if (this.isEnding) httpAdapter.setHeader(res, 'Connection', 'close');
    httpAdapter.reply(res, text, status);
  }
}
