import type { HttpExchange } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';
import type { PublicJwk } from '../util/verification-keys.js';
import type { OpenIdDiscoveryConfiguration, VerifySessionOptions } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/** @publicApi */
export interface ApiOptions {
  readonly exchange: HttpExchange;
}

/** An answer that is sent with status 200 and tells the client why the application said no. @publicApi */
export interface GeneralErrorResponse {
  readonly status: 'GENERAL_ERROR';
  readonly message: string;
}

/**
 * What stands behind the routes. A function left out (or undefined) in `override.apis` switches its route off.
 *
 * @publicApi
 */
export interface ApiInterface {
  /** `POST <base>/session/refresh` */
  refreshPOST?:
    ((input: { options: ApiOptions; userContext: UserContext }) => Promise<SessionContainer>) | undefined;
  /** `POST <base>/signout` */
  signOutPOST?:
    | ((input: {
        session: SessionContainer;
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<{ status: 'OK' } | GeneralErrorResponse>)
    | undefined;
  /** Not a route: what the guard runs. @returns undefined for OPTIONS and TRACE, and for absent optional sessions */
  verifySession(input: {
    verifySessionOptions: VerifySessionOptions | undefined;
    options: ApiOptions;
    userContext: UserContext;
  }): Promise<SessionContainer | undefined>;
  /** `GET <base>/jwt/jwks.json` */
  getJWKSGET?:
    | ((input: {
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<{ keys: readonly PublicJwk[] } | GeneralErrorResponse>)
    | undefined;
  /** `GET <base>/.well-known/openid-configuration` */
  getOpenIdDiscoveryConfigurationGET?:
    | ((input: {
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<({ status: 'OK' } & OpenIdDiscoveryConfiguration) | GeneralErrorResponse>)
    | undefined;
}
