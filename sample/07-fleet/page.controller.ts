import { readFile } from 'node:fs/promises';
import { Controller, Get, Header, StreamableFile } from '@nestjs/common';

/** The folder of the page, relative to the compiled file in `build/sample/07-fleet/`. */
const PUBLIC = new URL('../../../sample/07-fleet/public/', import.meta.url);

/** Serves the one page. */
@Controller()
export class PageController {
  @Get()
  @Header('content-security-policy', "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'")
  index(): Promise<StreamableFile> {
    return file('index.html', 'text/html; charset=utf-8');
  }

  @Get('style.css')
  style(): Promise<StreamableFile> {
    return file('style.css', 'text/css; charset=utf-8');
  }

  @Get('app.js')
  script(): Promise<StreamableFile> {
    return file('app.js', 'text/javascript; charset=utf-8');
  }
}

async function file(name: string, type: string): Promise<StreamableFile> {
  return new StreamableFile(await readFile(new URL(name, PUBLIC)), { type });
}
