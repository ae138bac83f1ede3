// A throw-away certificate for localhost (EC P-256, self-signed, made by openssl). It protects nothing. Form: base64 DER.
import { spkiHash, tlsPair } from './tls-pair.js';

const KEY =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg//wQuIalhXSlL+Y7gXeVNlM8c4vAqaDhE3fEb8ZRIK6hRANCAAQI' +
  'e/a9Iuwl5E8H7CmTFUMI0GN946FD8ancqGOqWUbhw6vG6yQhkHvNEaGGeo6gDITv7Ui3PnSKerkJ4vVLtGSg';
const CERTIFICATE =
  'MIIBwDCCAWWgAwIBAgIUapvPxLOJ4KDv5opbt52hLgYnFoAwCgYIKoZIzj0EAwIwJjEkMCIGA1UEAwwbbmVzdC1zZXNzaW9ucyBi' +
  'cm93c2VyIHRlc3RzMCAXDTI2MTEzMDE5MzU0NVoYDzIxMjYxMTA2MTkzNTQ1WjAmMSQwIgYDVQQDDBtuZXN0LXNlc3Npb25zIGJy' +
  'b3dzZXIgdGVzdHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQIe/a9Iuwl5E8H7CmTFUMI0GN946FD8ancqGOqWUbhw6vG6yQh' +
  'kHvNEaGGeo6gDITv7Ui3PnSKerkJ4vVLtGSgo28wbTAdBgNVHQ4EFgQU/kY8snhR++MkDe6T8cc4Dcc7zH8wHwYDVR0jBBgwFoAU' +
  '/kY8snhR++MkDe6T8cc4Dcc7zH8wDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0E' +
  'AwIDSQAwRgIhAOwXKZFl+LwYNdH8lMKj8sAQfPJhANNKs4/Ca35ptCZ2AiEA+1tnzCiehtQ7KFfsLIdtyfEJoOIo1wlwAwwztVgX' +
  '8HM=';

/** The certificate and key of servers on localhost. */
export const LOCALHOST_TLS = tlsPair(KEY, CERTIFICATE);

export const LOCALHOST_SPKI_HASH: string = spkiHash(LOCALHOST_TLS);
