// Reads spec files into the tree of blocks and tests that Jest's own `describe` and `it` build.
import { relative } from 'node:path';
import { cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import { getState, resetState } from 'jest-circus';

/**
 * @typedef {{ id: string, name: string, file: string, definition: object, blocks: object[] }} Test
 * `blocks` are those around the test, the outermost first.
 */

/**
 * Imports spec files that are compiled.
 *
 * @param {readonly string[]} files paths of the sources, below the working directory
 * @param {(file: string, error: unknown) => void} refused is called with a file that cannot be loaded
 * @param {() => void} addHooks adds the hooks that modules of earlier files asked for to the file that is loading
 * @returns {Promise<Test[]>}
 */
export async function definedTests(files, refused, addHooks) {
  const tests = [];
  for (const file of files) {
    resetState();
    addHooks();
    try {
      await import(pathToFileURL(file.replace(/\.ts$/, '.js')).href);
    } catch (error) {
      refused(file, error);
      continue;
    }
    const ids = new Map();
    for (const { definition, blocks } of testsIn(getState().rootDescribeBlock, [])) {
      const name = [...blocks.map(({ name }) => name), definition.name].slice(1).join(' ');
      const seen = ids.get(name) ?? 0;
      ids.set(name, seen + 1);
      const ordinal = seen === 0 ? '' : ` (${seen + 1})`;
      tests.push({
        id: `${relative(cwd(), file)}: ${name}${ordinal}`,
        name: name + ordinal,
        file,
        definition,
        blocks,
      });
    }
  }
  return tests;
}

function* testsIn(block, around) {
  const blocks = [...around, block];
  for (const child of block.children) {
    if (child.type === 'describeBlock') yield* testsIn(child, blocks);
    else if (child.mode !== 'skip' && child.mode !== 'todo') yield { definition: child, blocks };
  }
}
