import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from '@jest/globals';
import { REPOSITORY } from '../../docs/.vitepress/pages.js';
import { anchors, documents, localLinks, prose, type LocalLink } from './documents.js';

interface Manifest {
  readonly homepage: string;
  readonly repository: { readonly url: string };
  readonly bugs: string;
}

/** The fault of a link, or undefined. */
function problemOf({ document, target }: LocalLink): string | undefined {
  const [path = '', anchor] = decodeURI(target).split('#', 2);
  const file = path === '' ? document : join(dirname(document), path);
  if (!existsSync(file)) return `${file} does not exist`;
  if (anchor === undefined || statSync(file).isDirectory() || !file.endsWith('.md')) return undefined;
  return anchors(file).has(anchor) ? undefined : `${file} has no heading #${anchor}`;
}

describe('links between the documents', () => {
  it.each(documents())('lead somewhere from %s', (document) => {
    const dead = localLinks(document).flatMap((link) => {
      const problem = problemOf(link);
      return problem === undefined ? [] : [`${document}:${link.line}: ${link.target}: ${problem}`];
    });
    expect(dead).toEqual([]);
  });

  it('are absolute in the README, because npm shows it, too', () => {
    const relative = prose('README.md').flatMap(({ text }) =>
      [...text.matchAll(/\]\((?!https:|#)([^)]*)\)/g)].map(([, target]) => target),
    );
    expect(relative).toEqual([]);
  });

  it('lead to one address of the repository, which package.json has as well', () => {
    const { homepage, repository, bugs } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
    expect({ homepage, url: repository.url, bugs }).toEqual({
      homepage: `${REPOSITORY}#readme`,
      url: `git+${REPOSITORY}.git`,
      bugs: `${REPOSITORY}/issues`,
    });
    expect(localLinks('README.md').length).toBeGreaterThan(20);
  });

  it('are looked at: files, anchors in them, and anchors on the same page', () => {
    const problems = [
      'CHANGELOG.md',
      '#install',
      'SECURITY.md#reporting',
      'nowhere.md',
      '#nowhere',
      'SECURITY.md#no',
    ];
    const links = problems.map((target) => ({ document: 'README.md', line: 1, target }));
    expect(links.map(problemOf)).toEqual([
      undefined,
      undefined,
      undefined,
      'nowhere.md does not exist',
      'README.md has no heading #nowhere',
      'SECURITY.md has no heading #no',
    ]);
  });
});
