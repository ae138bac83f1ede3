import { readdirSync } from 'node:fs';

/** The paths of all spec files, from the root of the project. */
export const SPECS: readonly string[] = ['lib', 'test'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('spec.ts'))
    .map((name) => `${folder}/${name}`),
);
