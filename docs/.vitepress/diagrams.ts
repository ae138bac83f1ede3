import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder in which `npm run docs:diagrams` puts the pictures of Mermaid blocks. */
export const DIAGRAMS_FOLDER = 'docs/.vitepress/diagrams';

/** The file of a diagram: its name is the hash of its source, so a picture never outlives a change of the text. */
export function diagramFile(source: string): string {
  const hash = createHash('sha256').update(source.trim()).digest('hex').slice(0, 16);
  return join(DIAGRAMS_FOLDER, `${hash}.svg`);
}

/** The picture of a Mermaid block. @throws Error if it has not been drawn */
export function diagramPicture(root: string, source: string): string {
  const file = join(root, diagramFile(source));
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const [firstLine = ''] = source.trim().split('\n', 1);
  throw new Error(
    `A Mermaid block (${firstLine} …) has no picture ${diagramFile(source)}: run \`npm run docs:diagrams\` and commit what it writes`,
  );
}
