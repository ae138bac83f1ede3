import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { drawCurves } from './chart.js';
import { bestRate, grows, isOver, percentile, slopePerHour, type Series, type Step } from './figures.js';
import { runAtRate } from './open-loop.js';

const step = (rate: number, p99Ms: number, failures = 0): Step => ({ rate, p50Ms: 1, p99Ms, failures });

describe('the figures of the load', () => {
  it('take the highest rate that was quick enough and had no failure', () => {
    expect(bestRate([step(10, 5), step(20, 49), step(40, 51), step(80, 30, 1)])).toBe(20);
    expect(bestRate([step(10, 80)])).toBe(0);
  });

  it('end a ramp after two slow steps in a row', () => {
    expect(isOver([step(10, 5), step(20, 80)])).toBe(false);
    expect(isOver([step(10, 5), step(20, 80), step(40, 5), step(80, 90)])).toBe(false);
    expect(isOver([step(10, 5), step(20, 80), step(40, 90)])).toBe(true);
  });

  it('are percentiles by rank', () => {
    const times = Array.from({ length: 200 }, (_, n) => n + 1);
    expect(percentile(times, 0.99)).toBe(198);
    expect(percentile(times, 0.5)).toBe(100);
  });

  it('tell growth from a cache that fills', () => {
    const series = (value: (n: number) => number): Series =>
      Array.from({ length: 30 }, (_, n) => [n, value(n)] as const);
    const growing = series((n) => 100 + 3 * n);
    const filling = series((n) => Math.min(100 + 10 * n, 180));
    expect([grows(growing, 6), grows(filling, 6)]).toEqual([true, false]);
    expect(slopePerHour(growing)).toBeCloseTo(180);
  });

  it('count a call from the time at which it was due', async () => {
    let blocked = false;
    const { p99Ms } = await runAtRate(200, 0.2, async () => {
      if (blocked) return;
      blocked = true;
      const until = performance.now() + 100;
      while (performance.now() < until); // nothing else can begin meanwhile
    });
    expect(p99Ms).toBeGreaterThan(50);
  });

  it('are drawn with one line for each kind of call', () => {
    const svg = drawCurves([{ name: 'refresh', steps: [step(10, 5), step(20, 60)] }], 'a title');
    expect(svg).toContain('refresh: 10 per second');
    expect(svg.match(/<polyline/g)).toHaveLength(1);
  });
});

describe('npm run load -- --quick', () => {
  it('runs three instances and writes a picture and a table', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-load-'));
    const [chart, page] = [join(folder, 'load.svg'), join(folder, 'page.md')];
    writeFileSync(page, 'before\n\n<!-- load: begin -->\n\n<!-- load: end -->\n\nafter\n');
    const options = ['--quick', '--store', 'sqlite', '--chart', chart, '--page', page];
    const child = spawn(process.execPath, ['test/load/run.mjs', ...options], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(readFileSync(chart, 'utf8')).toMatch(/^<svg/);
    const table = readFileSync(page, 'utf8');
    for (const kind of ['guarded', 'refresh', 'sign-in']) expect(table).toMatch(new RegExp(`\\| ${kind} `));
    expect(table).toMatch(/^before[\s\S]*after\n$/);
    rmSync(folder, { recursive: true });
  });
});
