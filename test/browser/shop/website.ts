import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The shop's website: one page with the browser client, and a plain one to go to. */
export async function startWebsite(): Promise<Server> {
  const script = await bundleTab();
  const page = `<!doctype html><meta charset="utf-8"><title>Shop</title><script type="module">${script}</script>`;
  const server = createServer((request, response) => {
    const isPage = request.url?.startsWith('/?') === true;
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(isPage ? page : '<!doctype html><title>Elsewhere</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function bundleTab(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('tab.js', import.meta.url))],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  return outputFiles.map(({ text }) => text.replaceAll('</script', '<\\/script')).join('');
}
