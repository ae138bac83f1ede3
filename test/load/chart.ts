import { bestRate, LIMIT_MS, type Step } from './figures.js';

export interface Curve {
  readonly name: string;
  readonly steps: readonly Step[];
}

const [WIDTH, HEIGHT] = [760, 420];
const FRAME = { left: 62, right: 20, top: 46, bottom: 52 };
/** Times above this are drawn at the upper edge. */
const HIGHEST_MS = 1000;
const COLORS = ['#1f77b4', '#d95f02', '#1b9e77'];

/** Draws the 99th percentile of each curve over its rate, both axes logarithmic, as SVG. */
export function drawCurves(curves: readonly Curve[], title: string): string {
  const rates = curves.flatMap(({ steps }) => steps.map(({ rate }) => rate));
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const x = (rate: number): number =>
    FRAME.left + share(rate, least, most) * (WIDTH - FRAME.left - FRAME.right);
  const y = (ms: number): number =>
    HEIGHT - FRAME.bottom - share(clamp(ms), 1, HIGHEST_MS) * (HEIGHT - FRAME.top - FRAME.bottom);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(WIDTH / 2, 22, title, 'middle'),
    ...[1, 10, 50, 100, 1000].map((ms) => gridLine(y(ms), `${ms} ms`, ms === LIMIT_MS)),
    ...ticks(least, most).map((rate) => text(x(rate), HEIGHT - FRAME.bottom + 18, `${rate}`, 'middle')),
    text(WIDTH / 2, HEIGHT - 10, 'calls per second that begin, logarithmic', 'middle'),
    ...curves.map((curve, n) => drawCurve(curve, COLORS[n % COLORS.length] ?? '#000000', n, { x, y })),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${title}">\n${parts.join('\n')}\n</svg>\n`;
}

function drawCurve(
  { name, steps }: Curve,
  color: string,
  n: number,
  { x, y }: { x(rate: number): number; y(ms: number): number },
): string {
  const points = steps.map(({ rate, p99Ms }) => `${x(rate).toFixed(1)},${y(p99Ms).toFixed(1)}`);
  const dots = points.map((point) => {
    const [cx, cy] = point.split(',');
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="${color}"/>`;
  });
  const label = `${name}: ${bestRate(steps)} per second`;
  return [
    `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`,
    ...dots,
    `<text x="${FRAME.left + 12}" y="${FRAME.top + 16 + n * 18}" fill="${color}">${label}</text>`,
  ].join('\n');
}

function gridLine(y: number, label: string, isLimit: boolean): string {
  const dash = isLimit ? ' stroke-dasharray="6 4" stroke="#b00020"' : ' stroke="#d8d8d8"';
  return `<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"${dash}/>\n${text(FRAME.left - 6, y + 4, label, 'end')}`;
}

function text(x: number, y: number, content: string, anchor: 'middle' | 'end'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333333">${content}</text>`;
}

function ticks(least: number, most: number): readonly number[] {
  return [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000].filter(
    (rate) => rate >= least && rate <= most,
  );
}

function share(value: number, least: number, most: number): number {
  return least === most ? 0.5 : Math.log(value / least) / Math.log(most / least);
}

function clamp(ms: number): number {
  return Math.min(Math.max(ms, 1), HIGHEST_MS);
}
