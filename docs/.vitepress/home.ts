/** The front matter of the page on which the site opens. It is not in the file, because a forge would show it as a table. */
export function home(version: string): Record<string, unknown> {
  return {
    layout: 'home',
    hero: {
      name: 'nest-sessions',
      text: 'Sessions for NestJS',
      tagline:
        'Short-lived signed access tokens, rotating refresh tokens with theft detection, claims, anti-CSRF and revocation, in one module.',
      actions: [
        { theme: 'brand', text: 'Start in five minutes', link: '/start' },
        { theme: 'alt', text: 'See how it works', link: '/guides/in-pictures' },
        { theme: 'alt', text: `Options of ${version}`, link: '/reference/options' },
      ],
    },
    features: [
      {
        title: 'One guard, one decorator',
        details:
          'Express and Fastify, GraphQL, WebSockets and server-sent events. A known access token is verified without a read.',
        link: '/guides/routes-and-claims',
      },
      {
        title: 'Stolen tokens are noticed',
        details:
          'Each refresh replaces the token. A copy that comes back ends the session, and a response that was lost does not.',
        link: '/guides/in-pictures',
      },
      {
        title: 'Your store, or none',
        details:
          'Memory, SQLite, PostgreSQL, Redis, or a SuperTokens Core. Change later; users stay signed in.',
        link: '/guides/cores-and-stores',
      },
      {
        title: 'Tested like your code',
        details: 'A kit for tests without network and database, and a doctor for cookies that do not arrive.',
        link: '/guides/testing',
      },
    ],
  };
}
