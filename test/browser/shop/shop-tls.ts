// A throw-away certificate for names that never leave the machine (EC P-256, self-signed). It protects nothing.
// Form: base64 DER.
import { spkiHash, tlsPair } from '../tls-pair.js';

const KEY =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQmaW3AiJCTWYNY024zvQ0esqWJcN3nIGtyMOnuB7COChRANCAATr' +
  'jFJR+Rf7zvUPFyWD1+sh2oHEcEOgNTaucVx6aAQ0JHqyMpsF/mmScJG8Q0whcRirEQFlNC/W5VbhBAEA6tEa';
const CERTIFICATE =
  'MIIB0jCCAXigAwIBAgIUFe2Oj2Ghcuua5fHDLUaNWHeT/FowCgYIKoZIzj0EAwIwJjEkMCIGA1UEAwwbbmVzdC1zZXNzaW9ucyBi' +
  'cm93c2VyIHRlc3RzMCAXDTI2MTEyMTA5NTc1NVoYDzIxMjYxMDI4MDk1NzU1WjAmMSQwIgYDVQQDDBtuZXN0LXNlc3Npb25zIGJy' +
  'b3dzZXIgdGVzdHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATrjFJR+Rf7zvUPFyWD1+sh2oHEcEOgNTaucVx6aAQ0JHqyMpsF' +
  '/mmScJG8Q0whcRirEQFlNC/W5VbhBAEA6tEao4GBMH8wHQYDVR0OBBYEFNi9NDTE///IdoewmH21LKUzMq2WMB8GA1UdIwQYMBaA' +
  'FNi9NDTE///IdoewmH21LKUzMq2WMA8GA1UdEwEB/wQFMAMBAf8wLAYDVR0RBCUwI4IHc2hvcC5pb4IJKi5zaG9wLmlvgg1lbHNl' +
  'd2hlcmUub3JnMAoGCCqGSM49BAMCA0gAMEUCIQC82/XtiOWjCwSPR7ldnSB2PhPbINr6Q7/C+Nja1XcO4gIgaLy2opH1Km8CBMYo' +
  'bdqz3PAQtZdygmgN4ttXmtJUFF4=';

/** The certificate and key of the network in front of the shop. */
export const SHOP_TLS = tlsPair(KEY, CERTIFICATE);

export const SHOP_SPKI_HASH: string = spkiHash(SHOP_TLS);
