import supertokens from 'supertokens-node';
import Session from 'supertokens-node/recipe/session';

/** @param {import('./verify-subject.mjs').VerifySetting} setting */
export async function open({ coreUrl }) {
  initSupertokens(coreUrl, 'express');
  return {
    verify: (token) => Session.getSessionWithoutRequestResponse(token, undefined, { antiCsrfCheck: false }),
  };
}

export function initSupertokens(connectionURI, framework, by = 'header') {
  supertokens.init({
    framework,
    supertokens: { connectionURI },
    appInfo: { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' },
    recipeList: [Session.init({ getTokenTransferMethod: () => by })],
    telemetry: false,
  });
}
