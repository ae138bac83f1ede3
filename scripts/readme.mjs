// The code blocks of the documents that users copy.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packed.mjs';

/** The first code block of a language behind a place in a document. */
export function blockAfter(place, language, document = 'README.md') {
  const text = readFileSync(join(root, document), 'utf8');
  const at = text.search(place);
  const match = at < 0 ? null : new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text.slice(at));
  if (!match) throw new Error(`${document} has no ${language} block behind ${place}`);
  return match[1];
}

/** The README's quick start, with its module in the file of Nest's starter. `extension` ends imports of own files. */
export function quickStartAsStarter(extension = '.js') {
  const [module, bootstrap] = blockAfter(/<!-- quick-start:.*?-->/, 'ts').split(
    /^(?=async function bootstrap)/m,
  );
  return {
    'src/app.module.ts': module.replace('class AppModule', 'export class AppModule'),
    'src/main.ts': `import { NestFactory } from '@nestjs/core';\nimport { AppModule } from './app.module${extension}';\n\n${bootstrap}`,
  };
}

/** The README's first test of an application. */
export function firstTest(extension = '.js') {
  return blockAfter(/<!-- first-test -->/, 'ts').replace("app.module.js'", `app.module${extension}'`);
}
