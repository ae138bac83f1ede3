import worker from './worker.ts';

// Deno brings these types along.
declare const Deno: {
  env: { get(name: string): string | undefined };
  serve(
    options: { port: number; hostname: string; onListen(address: { port: number }): void },
    handle: (request: Request) => Promise<Response>,
  ): unknown;
};

const API_DOMAIN = Deno.env.get('API_DOMAIN') ?? 'http://127.0.0.1:3000';
Deno.serve(
  {
    port: Number(Deno.env.get('PORT') ?? 3001),
    hostname: '127.0.0.1',
    onListen: ({ port }) => console.log(`Deno: http://127.0.0.1:${port}`),
  },
  async (request) => worker.fetch(request, { API_DOMAIN }),
);
