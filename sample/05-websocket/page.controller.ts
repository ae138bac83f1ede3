import { readFile } from 'node:fs/promises';
import { Controller, Get, Header, StreamableFile } from '@nestjs/common';

/** The project's folder, relative to the compiled file in `build/sample/05-websocket/`. */
const ROOT = new URL('../../../', import.meta.url);

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
  const content = await readFile(new URL(`sample/05-websocket/public/${name}`, ROOT));
  return new StreamableFile(content, { type });
}
