import { SessionError, type AnySessionError } from 'nest-sessions';

/** The session error with which `work` must fail. @throws when it succeeds or fails with another error */
export async function sessionErrorOf(work: Promise<unknown>): Promise<AnySessionError> {
  const error = await work.then(
    () => new Error('It did not fail'),
    (failure: unknown) => failure,
  );
  if (!SessionError.isSessionError(error)) throw error;
  return error;
}
