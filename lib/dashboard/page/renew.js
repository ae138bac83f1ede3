// The access token of a visitor has expired: refreshes the session, and loads the page again. Once in ten seconds at most, so that a page
// that stays closed does not load for ever.
const MARK = 'nest-sessions-dashboard-renewed';
const { refresh, expired } = document.documentElement.dataset;

if (refresh && Date.now() - Number(sessionStorage.getItem(MARK) ?? 0) > 10_000) {
  sessionStorage.setItem(MARK, String(Date.now()));
  const response = await fetch(refresh, { method: 'POST', headers: { rid: 'session' } }).catch(
    () => undefined,
  );
  if (response?.ok) location.reload();
  else if (response?.status !== Number(expired)) {
    say('h1', 'Your session cannot be refreshed now');
    say('p', 'The application does not respond, or asks you to wait. Load this page again in a while.');
  }
}

/** @param {string} place @param {string} text */
function say(place, text) {
  const element = document.querySelector(place);
  if (element) element.textContent = text;
}
