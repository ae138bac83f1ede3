import { afterAll, describe, it, jest } from '@jest/globals';
import { addHooksOfFile } from '../support/hooks-of-file.js';
import together from './members.cjs';

const { specFiles } = globalThis as unknown as {
  specFiles: { load(describeBlock: () => void, load: () => Promise<void>): Promise<void> };
};

/** Loads the spec files of a group, each in a block that has its path for a name. */
export async function loadMembers(group: string): Promise<void> {
  for (const file of together.membersOf(group))
    await specFiles.load(
      () => describe(file, () => {}),
      async () => loadMember(file),
    );
}

/** A file that cannot be loaded is a test that fails, so that the others of its group run. */
async function loadMember(file: string): Promise<void> {
  afterAll(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });
  addHooksOfFile();
  try {
    await import(together.ROOT + file);
  } catch (error) {
    // oxlint-disable-next-line jest/expect-expect -- the error itself says more
    it('loads', () => {
      throw error;
    });
  }
}
