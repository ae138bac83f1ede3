import type { Plugin } from 'esbuild';

/** Compiles as Jest does, by .swcrc: Nest injects by the metadata of decorators, which esbuild does not write. */
export const decorators: Plugin;

/**
 * Bundles a program for a process of its own. Its imports of `nest-sessions` are read from the sources, by the paths of tsconfig.json.
 *
 * @returns outfile
 */
export function bundle(entry: string, outfile: string, plugins?: Plugin[]): Promise<string>;

/**
 * Bundles a program of a checkout with the library of that checkout.
 *
 * @param root folder of the checkout
 * @param program its path from there
 * @returns the file to run
 */
export function bundleProgram(root: string, program: string, plugins?: Plugin[]): Promise<string>;
