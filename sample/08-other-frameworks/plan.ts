import { PrimitiveClaim } from 'nest-sessions/verify';

/** The plan that a user has paid for. The API keeps it in the session, and the other services read it there. */
export const plan = new PrimitiveClaim<string>({
  key: 'plan',
  fetchValue: (userId) => (userId === 'ada' ? 'pro' : 'free'),
});

/** Accepts sessions whose plan is `pro`. */
export const onlyPro = plan.validators.hasValue('pro');
