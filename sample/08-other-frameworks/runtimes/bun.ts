import worker from './worker.ts';

// The types of Bun are those of the package @types/bun.
declare const Bun: {
  env: Record<string, string | undefined>;
  serve(options: { port: number; hostname: string; fetch(request: Request): Promise<Response> }): {
    url: URL;
  };
};

const { PORT = '3001', API_DOMAIN = 'http://127.0.0.1:3000' } = Bun.env;
const fetch = async (request: Request): Promise<Response> => worker.fetch(request, { API_DOMAIN });
const server = Bun.serve({ port: Number(PORT), hostname: '127.0.0.1', fetch });
console.log(`Bun: ${server.url.origin}`);
