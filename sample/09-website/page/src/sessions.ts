import Session from 'supertokens-website';

/** The page's knowledge of its session. */
export interface SessionState {
  /** `asking` until the client has looked. */
  readonly status: 'asking' | 'signed in' | 'signed out';
  readonly userId?: string;
  /** The session ended without a sign-out here: it expired, or was revoked. */
  readonly hasEnded?: boolean;
  /** Refreshes since the page was loaded. */
  readonly refreshes: number;
}

let state: SessionState = { status: 'asking', refreshes: 0 };
const listeners = new Set<() => void>();

/** Puts the client behind `fetch`. Call it once, before the first request. */
export function startSessions(apiDomain: string): void {
  Session.init({
    apiDomain,
    apiBasePath: '/auth',
    onHandleEvent: (event) => {
      if (event.action === 'REFRESH_SESSION') change({ refreshes: state.refreshes + 1 });
      else if (event.action === 'UNAUTHORISED') change({ hasEnded: event.sessionExpiredOrRevoked });
      else if (event.action === 'SESSION_CREATED') change({ hasEnded: false });
      void look();
    },
  });
  void look();
}

/** For React's `useSyncExternalStore`. */
export const sessionStore = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  read: (): SessionState => state,
};

async function look(): Promise<void> {
  if (!(await Session.doesSessionExist())) return change({ status: 'signed out' });
  const userId = await Session.getUserId();
  change({ status: 'signed in', userId });
}

function change(update: Partial<SessionState>): void {
  state = { ...state, ...update };
  for (const listener of listeners) listener();
}
