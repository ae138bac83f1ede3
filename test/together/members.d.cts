/** Jest's filter of the selected files, as absolute paths. */
declare function together(paths: readonly string[]): Promise<{ filtered: string[] }>;

declare namespace together {
  /** @returns the members of a group's file, as paths from the root of the project */
  function membersOf(groupFile: string): string[];
  /** @returns the spec files that `npm test` and `npm run test:integration` share, as paths from the root of the project */
  function allSpecFiles(): string[];
  /** The absolute path of the project, with a separator at its end. */
  const ROOT: string;
}

export = together;
