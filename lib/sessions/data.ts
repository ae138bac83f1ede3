import type { CoreSessionInformation } from '../core/core.types.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { ownWriteContext, type UserContext } from '../util/user-context.js';
import type { Devices } from './devices.js';
import { toJsonObject, WRITERS } from './payload.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionInformation, StoredInput } from './stored-sessions.interface.js';

/** Reads and writes the server-side JSON of sessions, and with it the device that the option `devices` keeps there. */
export class SessionData {
  // As with payloads: in one process parallel writers need not compete.
  private readonly writers = new KeyedMutex(WRITERS);

  constructor(private readonly context: RecipeContext) {}

  async getSessionInformation(
    input: StoredInput<'getSessionInformation'>,
  ): Promise<SessionInformation | undefined> {
    const { core, devices } = this.context;
    const found = await core.getSessionInformation(input.sessionHandle, input.userContext);
    return found && toSessionInformation(found, devices);
  }

  async updateSessionDataInDatabase(input: StoredInput<'updateSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, devices } = this.context;
    const data = toJsonObject(input.newSessionData ?? {}, 'newSessionData');
    if (!devices.isOn) return core.updateSessionData(sessionHandle, data, userContext);
    return this.writers.run(sessionHandle, async () => {
      const known = await core.getSessionInformation(sessionHandle, userContext);
      if (known === undefined) return false;
      const kept = devices.dataToReplace(known.userDataInDatabase, data);
      return core.updateSessionData(sessionHandle, kept, userContext);
    });
  }

  async mergeSessionDataInDatabase(input: StoredInput<'mergeSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, devices } = this.context;
    const update = toJsonObject(input.sessionDataUpdate, 'sessionDataUpdate');
    devices.assertFree(update);
    return this.writers.run(sessionHandle, () => core.mergeSessionData(sessionHandle, update, userContext));
  }

  /** Notes the device that uses a session; the write queues behind the other writers of the session's data. */
  noteUse(sessionHandle: string, userContext: UserContext): void {
    const { core, devices } = this.context;
    devices.noteUse(sessionHandle, userContext, (update) =>
      this.writers.run(sessionHandle, () => core.mergeSessionData(sessionHandle, update, ownWriteContext())),
    );
  }
}

/** Returns a session as the application sees it: the device apart from the application's data. */
export function toSessionInformation(found: CoreSessionInformation, devices: Devices): SessionInformation {
  const { data, device } = devices.split(found.userDataInDatabase);
  return {
    sessionHandle: found.sessionHandle,
    userId: found.userId,
    recipeUserId: found.recipeUserId,
    tenantId: found.tenantId,
    expiry: found.expiry,
    timeCreated: found.timeCreated,
    sessionDataInDatabase: data,
    customClaimsInAccessTokenPayload: found.userDataInJWT,
    ...(device === undefined ? {} : { device }),
  };
}
