import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

/** A word that a page has, and the page: the search must find them. */
const SEARCHED = { word: 'checkDatabase', page: '/guides/tasks' };

// What makes a browser ask another host by itself; links that a reader clicks are none of these.
const SUBRESOURCE =
  /<(?:script|img|iframe|source|video|audio|embed|object|link)\b[^>]*?\s(?:src|href|data)="(?:https?:)?\/\/[^"]*"/gi;
const IN_STYLES = /(?:url\(\s*["']?|@import\s+["'])(?:https?:)?\/\/[^"')]*/gi;
const IN_SCRIPTS =
  /(?:import|fetch|importScripts|new Worker|new WebSocket|sendBeacon)\s*\(\s*["'`](?:https?|wss?):\/\/[^"'`]*/gi;

/** The problems of a built site, one line each. */
export function checkSite(site) {
  const files = readdirSync(site, { recursive: true, encoding: 'utf8' }).map((file) =>
    file.replaceAll('\\', '/'),
  );
  return [
    ...files.flatMap((file) => foreignRequests(site, file)),
    ...deadAnchors(site, files),
    ...searchProblems(site, files),
  ];
}

function foreignRequests(site, file) {
  const pattern = { html: SUBRESOURCE, css: IN_STYLES, js: IN_SCRIPTS }[file.split('.').at(-1) ?? ''];
  if (pattern === undefined) return [];
  const text = readFileSync(join(site, file), 'utf8');
  const styles = file.endsWith('.html') ? (text.match(IN_STYLES) ?? []) : [];
  return [...(text.match(pattern) ?? []), ...styles].map((found) => `${file} asks another host: ${found}`);
}

/** VitePress fails for links to pages that do not exist, but does not look at their anchors. */
function deadAnchors(site, files) {
  const pages = new Map(
    files
      .filter((file) => file.endsWith('.html'))
      .map((file) => [`/${file}`, readFileSync(join(site, file), 'utf8')]),
  );
  const ids = new Map(
    [...pages].map(([path, html]) => [
      path,
      new Set([...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)),
    ]),
  );
  return [...pages].flatMap(([path, html]) =>
    [...html.matchAll(/\shref="([^"#:]*)#([^"]+)"/g)].flatMap(([, target, anchor]) => {
      const page = target === '' ? path : target.endsWith('/') ? `${target}index.html` : target;
      const known = ids.get(page);
      if (known === undefined) return [`${path}: ${target}#${anchor}: no such page`];
      return known.has(decodeURIComponent(anchor.replaceAll('&amp;', '&')))
        ? []
        : [`${path}: ${target}#${anchor}: no such heading`];
    }),
  );
}

function searchProblems(site, files) {
  const index = files.find((file) => /localSearchIndex.*\.js$/.test(file));
  if (index === undefined) return ['There is no search index'];
  const text = readFileSync(join(site, index), 'utf8');
  const { word, page } = SEARCHED;
  if (!existsSync(join(site, `${page}.html`))) return [`There is no page ${page}`];
  return [word.toLowerCase(), page]
    .filter((wanted) => !text.includes(wanted))
    .map((wanted) => `The search index has no ${wanted}`);
}
