/** A user of the demo. Real applications check a password, a passkey or an identity provider first. */
export interface DemoUser {
  readonly id: string;
  readonly name: string;
}

/** Everybody who can sign in. */
export const DEMO_USERS: readonly DemoUser[] = [
  { id: 'ada', name: 'Ada Lovelace' },
  { id: 'alan', name: 'Alan Turing' },
  { id: 'grace', name: 'Grace Hopper' },
];

/** Stands for the application's own table of roles: the ids of the users who are admins at the moment. */
export const admins = new Set<string>();

/** The demo user with this id, or undefined. */
export function findUser(id: unknown): DemoUser | undefined {
  return DEMO_USERS.find((user) => user.id === id);
}
