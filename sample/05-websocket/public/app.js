const $ = (id) => document.getElementById(id);

// The session's cookies travel with the handshake; the page itself never sees them.
const socket = window.io({ transports: ['websocket'], autoConnect: false });

// `supertokens-website` does the same three calls for you, and refreshes before a request fails.
const post = (path, body) =>
  fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'st-auth-mode': 'cookie', rid: 'session' },
    ...(body && { body: JSON.stringify(body) }),
  });

socket.on('welcome', (userId) => show('chat', `Signed in as ${userId}.`));
socket.on('said', ({ userId, text }) => note(`${userId}: ${text}`));

/** The server says why it refuses: an expired token is renewed by HTTP, and the connection made again with it. */
socket.on('exception', async ({ type }) => {
  if (type !== 'TRY_REFRESH_TOKEN') return show('sign-in', 'You are not signed in.');
  note('The access token has expired: refreshing …');
  const { ok } = await post('/auth/session/refresh');
  if (!ok) return show('sign-in', 'Your session has ended.');
  socket.disconnect().connect();
});

$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  void post('/sign-in', { userId: $('name').value }).then(() => socket.disconnect().connect());
});

$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  socket.emit('say', $('text').value);
  $('text').value = '';
});

$('sign-out').addEventListener('click', () => void post('/auth/signout'));

function show(part, state) {
  for (const id of ['sign-in', 'chat']) $(id).hidden = id !== part;
  $('state').textContent = state;
}

function note(text) {
  $('log').append(Object.assign(document.createElement('li'), { textContent: text }));
}

socket.connect();
