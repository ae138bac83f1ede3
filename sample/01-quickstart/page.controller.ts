import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Header, StreamableFile } from '@nestjs/common';
import { build } from 'esbuild';

/** The project's folder, relative to the compiled file in `build/sample/01-quickstart/`. */
const ROOT = new URL('../../../', import.meta.url);

/** The functions of the browser client that `public/app.js` imports. */
const USED = 'init, doesSessionExist, attemptRefreshingSession, signOut';

/** Serves the one page. */
@Controller()
export class PageController {
  private browserClient: Promise<Uint8Array> | undefined;

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

  /** `supertokens-website` from npm, in one file for the browser. With a bundler, import it as usual. */
  @Get('supertokens-website.js')
  async client(): Promise<StreamableFile> {
    this.browserClient ??= bundleBrowserClient();
    return new StreamableFile(await this.browserClient, { type: 'text/javascript; charset=utf-8' });
  }
}

async function file(name: string, type: string): Promise<StreamableFile> {
  const content = await readFile(new URL(`sample/01-quickstart/public/${name}`, ROOT));
  return new StreamableFile(content, { type });
}

async function bundleBrowserClient(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${USED} } from 'supertokens-website';`, resolveDir: fileURLToPath(ROOT) },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild made no file of supertokens-website');
  return bundle.contents;
}
