import { PrimitiveClaim } from 'nest-sessions';

export type Plan = 'free' | 'pro';

/** Calls another service, which tests replace. */
async function planOf(userId: string): Promise<Plan> {
  const response = await fetch(`https://billing.example.com/plans/${encodeURIComponent(userId)}`);
  return (await response.json()) as Plan;
}

/** The plan of the user, fetched at sign-in. */
export const PlanClaim = new PrimitiveClaim<Plan>({ key: 'plan', fetchValue: planOf });
