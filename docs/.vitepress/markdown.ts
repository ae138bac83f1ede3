import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';
import type { MarkdownRenderer } from 'vitepress';
import { diagramPicture } from './diagrams.js';
import { addressOf, REPOSITORY } from './pages.js';

type Rule = NonNullable<MarkdownRenderer['renderer']['rules'][string]>;
type CoreState = Parameters<Parameters<MarkdownRenderer['core']['ruler']['push']>[1]>[0];

/** The parts of VitePress' environment of a page that rules read: the path of its source. */
interface PageEnvironment {
  readonly path?: string;
  readonly realPath?: string | null;
}

/** Has links of documents lead to pages of the site, and shows Mermaid blocks as the pictures that were drawn of them. */
export function extendMarkdown(md: MarkdownRenderer, root: string): void {
  md.core.ruler.push('links-to-pages', (state) => linkToPages(state, root));
  const { fence } = md.renderer.rules;
  if (fence === undefined) throw new Error('markdown-it has no rule for fenced blocks');
  const diagramOrCode: Rule = (tokens, index, options, env, self) => {
    const token = tokens[index];
    return token?.info.trim() === 'mermaid'
      ? `<figure class="diagram" tabindex="0" v-pre>${diagramPicture(root, token.content)}</figure>\n`
      : fence(tokens, index, options, env, self);
  };
  md.renderer.rules.fence = diagramOrCode;
  // The style sheet writes "default: " before the others.
  md.renderer.rules['td_open'] = (tokens, index, options, _env, self) => {
    if (tokens[index + 1]?.content === 'required') tokens[index]?.attrJoin('class', 'required');
    return self.renderToken(tokens, index, options);
  };
}

function linkToPages(state: CoreState, root: string): void {
  const { realPath, path } = state.env as PageEnvironment;
  const source = relative(root, realPath ?? path ?? root);
  for (const { children } of state.tokens)
    for (const token of children ?? []) {
      // A picture stays relative to its document, from which Vite copies it.
      const target = token.type === 'link_open' ? token.attrGet('href') : null;
      if (target !== null) token.attrSet('href', addressOfLink(target, source, root));
    }
}

/**
 * The address of a link on the site.
 *
 * @param target as the document has it: relative to the document, or on the project's repository
 * @param source the document, relative to the repository
 * @returns the page of the site that is made from the target, the file on the repository if there is none, or the target
 *   itself where it is on another host or on the same page
 */
export function addressOfLink(target: string, source: string, root: string): string {
  const prefix = `${REPOSITORY}/blob/main/`;
  const isOurs = target.startsWith(prefix);
  if (!isOurs && /^([a-z][a-z0-9+.-]*:|#|\/)/i.test(target)) return target;
  const [path = '', anchor] = target.slice(isOurs ? prefix.length : 0).split('#', 2);
  const file = isOurs ? path : join(dirname(source), path);
  const address = addressOf(file);
  const suffix = anchor === undefined ? '' : `#${anchor}`;
  if (address !== undefined) return `/${address}${suffix}`;
  if (!existsSync(join(root, file)))
    throw new Error(`${source} has a link to ${target}: ${file} does not exist`);
  return `${REPOSITORY}/blob/main/${file}${suffix}`;
}
