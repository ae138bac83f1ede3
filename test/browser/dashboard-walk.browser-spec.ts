import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { TestClock } from 'nest-sessions/testing';
import type { Browser, BrowserContext } from 'playwright-core';
import { endSessions } from '../dashboard/open-dashboard.js';
import { seededMemoryStore } from '../support/embedded.js';
import { launchChromium } from './chromium.js';
import { AGENTS, DashboardDesk, PAST_MS } from './dashboard-desk.js';

/** With `DASHBOARD_PICTURES=1` the pictures of docs/guides/dashboard.md are made anew. */
const PICTURES = fileURLToPath(
  new URL(
    env['DASHBOARD_PICTURES'] === '1' ? '../../docs/guides/pictures' : './screenshots',
    import.meta.url,
  ),
);

let chrome: Browser;

/** Writes a picture as WebP, which is a quarter as large as PNG. Another page encodes it, because the dashboard's lets no script do that. */
async function savePicture(context: BrowserContext, name: string, png: Buffer): Promise<void> {
  const encoder = await context.newPage();
  const webp = await encoder.evaluate<string>(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', 0.85).split(',')[1];
  })()`);
  await encoder.close();
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(`${PICTURES}/dashboard-${name}.webp`, Buffer.from(webp, 'base64'));
}

beforeAll(async () => {
  chrome = await launchChromium();
});

afterAll(async () => {
  await chrome.close();
});

describe('a user says that somebody else is in the account', () => {
  it('from the page alone: finds the sessions, sees the theft, ends them with a reason, sees that it holds on three instances, finds it in the trail', async () => {
    const store = await seededMemoryStore();
    const clock = new TestClock(Date.now() - PAST_MS);
    const options = { viewport: { width: 1100, height: 760 } };
    const desks: DashboardDesk[] = [];
    for (let instance = 0; instance < 3; instance++)
      desks.push(await DashboardDesk.open(chrome, 'express', options, { store, clock }));
    const [desk, second, third] = desks as [DashboardDesk, DashboardDesk, DashboardDesk];
    const { page } = desk;
    const picture = async (name: string): Promise<void> =>
      savePicture(desk.context, name, await page.screenshot());
    await desk.busyDay();
    await desk.theft('ada lovelace');
    const owner = await second.user('ada lovelace', AGENTS[0]);
    clock.advanceSeconds(300);
    const stranger = await third.user('ada lovelace', AGENTS[2]);
    clock.advanceSeconds(60);
    await desk.signIn('admin');
    await desk.show();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('Refusals by kind').waitFor();
    await picture('overview');

    // The clock has jumped, so that the other instances are not known until they report anew.
    await desk.show('#system');
    await page.locator('th[data-label="Instance"]').nth(2).waitFor();

    await desk.show('#sessions');
    await page.getByLabel('User', { exact: true }).fill('ada lovelace');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('2 sessions').waitFor();
    expect(await page.locator('tbody tr').allInnerTexts()).toEqual([
      expect.stringContaining('Chrome on Linux'),
      expect.stringContaining('Firefox on Windows'),
    ]);
    await picture('sessions');

    await page.getByRole('link', { name: 'Audit trail' }).click();
    await page.getByLabel('User', { exact: true }).fill('ada lovelace');
    await page.getByLabel('Kind').selectOption('Theft detected');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('.records').getByRole('link', { name: 'Theft detected' }).click();
    await page.getByText('The old token came from').waitFor();
    await page.setViewportSize({ width: 1100, height: 900 });
    await picture('theft');
    await page.setViewportSize(options.viewport);

    await page.getByRole('button', { name: 'End all of this user' }).click();
    await page.getByText('2 sessions at present').waitFor();
    await page.getByLabel('Reason').fill('ticket 4711: account taken over');
    await picture('dialog');
    await page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
    await page.getByText('2 sessions ended.').waitFor();
    await page.getByText('3 of 3 instances').waitFor();
    await picture('holds');
    for (const { application } of desks) {
      for (const { client } of [owner, stranger])
        expect((await application.send({ path: '/me', headers: client.requestHeaders('/me') })).status).toBe(
          401,
        );
    }

    await page.getByRole('link', { name: 'Audit trail' }).click();
    await page.getByLabel('User', { exact: true }).fill('ada lovelace');
    await page.getByLabel('Kind').selectOption('Ended or expired');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('ticket 4711: account taken over').first().waitFor();
    expect(await page.locator('.records li').allInnerTexts()).toEqual([
      expect.stringContaining('admin'),
      expect.stringContaining('admin'),
      expect.stringContaining('token-theft'),
    ]);
    await picture('trail');
    expect((await endSessions(owner.client, { everybody: true, reason: 'revenge' })).status).toBe(401);
  });
});
