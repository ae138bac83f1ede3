import { useSyncExternalStore } from 'react';
import { sessionStore, type SessionState } from './sessions';

/** Returns the state of the session, and renders again when it changes. */
export function useSession(): SessionState {
  return useSyncExternalStore(sessionStore.subscribe, sessionStore.read);
}
