import type { DeviceBinding } from '../device-binding/device-binding.js';
import type { CoreSessionInformation } from '../core/core.types.js';
import { delegationFacts } from '../util/delegation-claims.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { ownWriteContext, type UserContext } from '../util/user-context.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import type { DeviceChange, Devices } from './devices.js';
import { WRITERS } from './payload.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionSubject } from './session-reports.js';
import type { SessionInformation, StoredInput } from './stored-sessions.interface.js';

/** Reads and writes the server-side JSON of sessions, and with it the device that the option `devices` keeps there. */
export class SessionData {
  // As with payloads: in one process parallel writers need not compete.
  private readonly writers = new KeyedMutex(WRITERS);

  constructor(private readonly context: RecipeContext) {}

  async getSessionInformation(
    input: StoredInput<'getSessionInformation'>,
  ): Promise<SessionInformation | undefined> {
    const { core } = this.context;
    const found = await core.getSessionInformation(input.sessionHandle, input.userContext);
    return found && toSessionInformation(found, this.context);
  }

  async updateSessionDataInDatabase(input: StoredInput<'updateSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, devices, schemas } = this.context;
    const given = await schemas.whole('sessionDataInDatabase', input.newSessionData ?? {});
    const data = toJsonObject(given, 'newSessionData');
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
    const { core, devices, recipe, schemas } = this.context;
    const change = toJsonObject(input.sessionDataUpdate, 'sessionDataUpdate');
    devices.assertFree(change);
    const readStored = async (): Promise<JsonObject | undefined> =>
      (await recipe.getSessionInformation({ sessionHandle, userContext }))?.sessionDataInDatabase;
    const given = await schemas.update('sessionDataInDatabase', change, readStored);
    const update = toJsonObject(given, 'sessionDataUpdate');
    return this.writers.run(sessionHandle, () => core.mergeSessionData(sessionHandle, update, userContext));
  }

  /**
   * Notes the device that uses a session; the write queues behind the other writers of the session's data. The write that replaces
   * one device by another reports it, so that each change is reported once.
   */
  noteUse(session: SessionSubject, isRefresh: boolean, userContext: UserContext): void {
    const { core, devices, reports } = this.context;
    const { sessionHandle } = session;
    devices.noteUse({ sessionHandle, isRefresh }, userContext, async (change) => {
      let made: DeviceChange | undefined;
      const changeData = (stored: JsonObject): JsonObject | undefined => (made = change(stored))?.data;
      const doesExist = await this.writers.run(sessionHandle, () =>
        core.changeSessionData(sessionHandle, changeData, ownWriteContext()),
      );
      if (doesExist && made?.difference !== undefined) reports.newDevice(session, made.difference);
    });
  }
}

/** Reads what the library keeps in a session. Not taken from `RecipeContext`, whose internal members the declarations lack. */
interface SessionReaders {
  readonly devices: Devices;
  readonly binding: Pick<DeviceBinding, 'kindOf'> | undefined;
}

/** Returns a session as the application sees it: the device apart from the application's data, and how the session is bound. */
export function toSessionInformation(
  found: CoreSessionInformation,
  { devices, binding }: SessionReaders,
): SessionInformation {
  const deviceBound = binding?.kindOf(found.userDataInJWT);
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
    ...delegationFacts(found.userDataInJWT),
    ...(device === undefined ? {} : { device }),
    ...(deviceBound === undefined ? {} : { deviceBound }),
  };
}
