import { registrableDomain } from '../../options/public-suffix.js';
import { readHeader, isRedirect, exchangeName, type RecordedExchange } from '../exchange.js';
import { allExchanges, type Facts } from '../facts.js';
import { error, ok, combineFindings, warning, type Finding } from '../finding.js';
import { addressWithoutSecrets } from '../printable.js';
import { isLocal, siteOfHost } from '../site.js';

/** Checks schemes, names of this machine and redirects, which go wrong before any cookie matters. */
export function checkAddress(facts: Facts): Finding[] {
  return [checkScheme(facts), ...checkMixedContent(facts), ...checkLocalNames(facts), checkRedirects(facts)];
}

function checkScheme({ api }: Facts): Finding {
  const url = new URL(api.origin);
  if (url.protocol === 'https:') return ok('address.scheme', `${api.origin} is reached by https`);
  if (isLocal(url)) return ok('address.scheme', `${api.origin} is http, on this machine`);
  return error('address.scheme', `${api.origin} is reached by http`, {
    why: 'Anyone on the network path can read and use the tokens, and browsers drop cookies that are Secure.',
    fix: 'Serve the API by https, and set appInfo.apiDomain to its https:// origin.',
  });
}

function checkMixedContent({ api, website }: Facts): Finding[] {
  const apiUrl = new URL(api.origin);
  if (website.protocol !== 'https:' || apiUrl.protocol === 'https:') return [];
  const seen = `the website is https, the API ${api.origin} is http`;
  if (isLocal(apiUrl)) {
    return [
      warning('address.mixed-content', seen, {
        why: 'Browsers allow it for local addresses at most, and count the two schemes to different sites.',
        fix: 'Serve both by http while developing, or both by https.',
      }),
    ];
  }
  return [
    error('address.mixed-content', seen, {
      why: 'Browsers block calls by http from a page that came by https (mixed content).',
      fix: 'Serve the API by https.',
    }),
  ];
}

/** `localhost` and `127.0.0.1` are one machine, but two sites. */
function checkLocalNames({ api, website }: Facts): Finding[] {
  const apiUrl = new URL(api.origin);
  if (!isLocal(apiUrl) || !isLocal(website)) return [];
  if (siteOfHost(apiUrl.hostname) === siteOfHost(website.hostname)) {
    return [ok('address.local-names', `website and API are both at ${apiUrl.hostname}`)];
  }
  return [
    error('address.local-names', `the website is at ${website.hostname}, the API at ${apiUrl.hostname}`, {
      why: 'To a browser these are two sites: cookies of the one are not sent from pages of the other.',
      fix: 'Use one name for both, localhost for example, in the address bar, in the client and in appInfo.',
    }),
  ];
}

function checkRedirects(facts: Facts): Finding {
  const redirects = allExchanges(facts).filter(isRedirect);
  return combineFindings(
    'address.redirect',
    redirects.map((exchange) => `${exchangeName(exchange)} is redirected to ${redirectTarget(exchange)}`),
    'no request is redirected',
    {
      why:
        'Browsers refuse a redirected preflight, repeat a redirected POST as GET, and do not store cookies for the ' +
        'address that the client meant.',
      fix: redirectAdvice(redirects),
    },
  );
}

function redirectTarget(exchange: RecordedExchange): string {
  return addressWithoutSecrets(readHeader(exchange, 'location') ?? '', exchange.url);
}

function redirectAdvice(redirects: readonly RecordedExchange[]): string {
  const targets = redirects.map((exchange) => ({
    from: new URL(exchange.url),
    to: redirectTarget(exchange),
  }));
  if (targets.some(({ from, to }) => from.protocol === 'http:' && to.startsWith('https:'))) {
    return 'Give the client (apiDomain) and appInfo.apiDomain the https:// address, not one that is redirected to it.';
  }
  if (targets.some(({ from, to }) => new URL(to, from).pathname === `${from.pathname}/`)) {
    return 'Switch off the rule that adds a slash, or exempt the session routes from it.';
  }
  return 'Give the client and appInfo the address that responds without a redirect, and exempt the session routes from redirects.';
}

/** The public suffix that two hosts share, although they are different sites: `a.vercel.app` and `b.vercel.app`. */
export function sharedPublicSuffix(a: string, b: string): string | undefined {
  const labels = a.split('.').slice(1).join('.');
  return labels !== '' && b.endsWith(`.${labels}`) && registrableDomain(labels) === undefined
    ? labels
    : undefined;
}
