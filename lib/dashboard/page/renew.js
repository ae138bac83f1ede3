// The access token of a visitor has expired: refreshes the session, and loads the page again. Once in ten seconds at most, so that a page
// that stays closed does not load for ever.
const MARK = 'nest-sessions-dashboard-renewed';
const { refresh } = document.documentElement.dataset;

if (refresh && Date.now() - Number(sessionStorage.getItem(MARK) ?? 0) > 10_000) {
  sessionStorage.setItem(MARK, String(Date.now()));
  const { ok } = await fetch(refresh, { method: 'POST', headers: { rid: 'session' } });
  if (ok) location.reload();
}
