/** A user of the demo. Real applications check a password, a passkey or an identity provider first. */
export interface DemoUser {
  readonly id: string;
  readonly name: string;
}

/** The users of the demo. */
export const DEMO_USERS: readonly DemoUser[] = [
  { id: 'ada', name: 'Ada Lovelace' },
  { id: 'alan', name: 'Alan Turing' },
  { id: 'grace', name: 'Grace Hopper' },
];

/** Stands for the application's table of roles: the ids of the current admins. */
export const admins = new Set<string>();

/** The demo user with this id, or undefined. */
export function findUser(id: unknown): DemoUser | undefined {
  return DEMO_USERS.find((user) => user.id === id);
}
