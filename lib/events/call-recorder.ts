/**
 * Sees the calls that leave this library: to a store, to a remote core.
 *
 * @publicApi
 */
export interface CallRecorder {
  /**
   * Makes the call and answers with what it answers.
   *
   * @param operation what is called, without anything of this call: `store.update`, `POST /recipe/session/refresh`
   */
  recordCall<T>(operation: string, call: () => Promise<T>): Promise<T>;
}
