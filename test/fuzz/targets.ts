import type { FuzzTarget } from './target.js';
import { ADDRESS_TARGETS } from './targets/addresses.js';
import { CDI_TARGETS } from './targets/cdi.js';
import { COOKIE_TARGETS } from './targets/cookies.js';
import { PROOF_TARGETS } from './targets/proofs.js';
import { RECORD_TARGETS } from './targets/records.js';
import { TOKEN_TARGETS } from './targets/tokens.js';

/** Every parser of something that comes from outside. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...ADDRESS_TARGETS,
  ...CDI_TARGETS,
  ...COOKIE_TARGETS,
  ...PROOF_TARGETS,
  ...RECORD_TARGETS,
  ...TOKEN_TARGETS,
];
