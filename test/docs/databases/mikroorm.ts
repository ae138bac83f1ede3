import { EntitySchema, MikroORM, type Options } from '@mikro-orm/postgresql';
import { postgresStore, type SessionStore } from 'nest-sessions';
import type { Pool } from 'pg';

export interface User {
  id: string;
}

export const UserSchema = new EntitySchema<User>({
  name: 'User',
  tableName: 'users',
  properties: { id: { type: 'string', primary: true } },
});

export const options: Options = {
  entities: [UserSchema],
  schemaGenerator: { ignoreSchema: ['nest_sessions'] }, // or `schema:update` drops the sessions
};

export async function openDatabase(clientUrl: string) {
  const orm = await MikroORM.init({ ...options, clientUrl });
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  const sessionStore: SessionStore = postgresStore(pool);
  return { orm, pool, sessionStore };
}
