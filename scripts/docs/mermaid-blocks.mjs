import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

/** The Mermaid blocks of the documents that are pages of the site. */
export function mermaidBlocks(root, addressOf) {
  const below = (folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const documents = [...readdirSync(root), ...['docs', 'sample', 'test/benchmark'].flatMap(below)].filter(
    (file) => file.endsWith('.md') && !file.includes('node_modules') && addressOf(file) !== undefined,
  );
  return documents.flatMap((document) => {
    const text = readFileSync(join(root, document), 'utf8');
    return [...text.matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)].map(([, source]) => ({ document, source }));
  });
}
