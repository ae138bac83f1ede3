/**
 * The parts of jose that are used here, by subpath, because its main door loads its encryption as well.
 *
 * Import this file only through `loadJose`: it is needed when keys are read or made, and not at the start.
 */
export { CompactSign } from 'jose/jws/compact/sign';
export { compactVerify } from 'jose/jws/compact/verify';
export { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
export { exportJWK, exportPKCS8, exportSPKI } from 'jose/key/export';
export { generateKeyPair } from 'jose/key/generate/keypair';
export { importPKCS8, importSPKI } from 'jose/key/import';
export { createLocalJWKSet } from 'jose/jwks/local';
export { createRemoteJWKSet } from 'jose/jwks/remote';
export { decodeJwt } from 'jose/jwt/decode';
export { jwtVerify } from 'jose/jwt/verify';
