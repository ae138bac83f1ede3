import { PrimitiveClaim } from 'nest-sessions';

export type Plan = 'free' | 'pro';

/** Another service, which is not there in a test. */
async function planOf(userId: string): Promise<Plan> {
  const answer = await fetch(`https://billing.example.com/plans/${encodeURIComponent(userId)}`);
  return (await answer.json()) as Plan;
}

/** What somebody pays for, looked up when he signs in. */
export const PlanClaim = new PrimitiveClaim<Plan>({ key: 'plan', fetchValue: planOf });
