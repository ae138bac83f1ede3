// Draws the Mermaid blocks of the site's pages with Mermaid in Chromium (CHROMIUM_PATH, or /usr/bin/chromium), and removes pictures
// whose block is gone. The pictures are committed, so that `npm run docs` needs no browser. Their colours are variables, so that one
// picture serves light and dark pages.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { drawInPage } from './draw-in-page.mjs';
import { importTypeScript } from './import-typescript.mjs';
import { mermaidBlocks } from './mermaid-blocks.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const require = createRequire(import.meta.url);
const { addressOf } = await importTypeScript(join(root, 'docs/.vitepress/pages.ts'));
const { diagramFile, DIAGRAMS_FOLDER } = await importTypeScript(join(root, 'docs/.vitepress/diagrams.ts'));

/** The colours that Mermaid draws with, which the page's variables replace. */
const COLOURS = {
  '#01fe02': 'ground',
  '#02fe03': 'text',
  '#03fe04': 'line',
  '#04fe05': 'node',
  '#05fe06': 'node-border',
  '#06fe07': 'group',
  '#07fe08': 'group-border',
  '#08fe09': 'note',
  '#09fe0a': 'note-border',
  // Heads of arrows have no colour of their own.
  '#000000': 'line',
};
const [ground, text, line, node, nodeBorder, group, groupBorder, note, noteBorder] = Object.keys(COLOURS);

const CONFIG = {
  startOnLoad: false,
  theme: 'base',
  htmlLabels: false,
  fontFamily: 'Inter',
  fontSize: 15,
  flowchart: { htmlLabels: false, curve: 'linear', padding: 12 },
  sequence: {
    mirrorActors: false,
    actorFontFamily: 'Inter',
    noteFontFamily: 'Inter',
    messageFontFamily: 'Inter',
    actorFontSize: 15,
    noteFontSize: 14,
    messageFontSize: 14,
    actorMargin: 30,
    boxMargin: 8,
    width: 116,
    height: 44,
  },
  themeVariables: {
    fontFamily: 'Inter',
    fontSize: '15px',
    background: ground,
    edgeLabelBackground: ground,
    primaryColor: node,
    mainBkg: node,
    primaryTextColor: text,
    textColor: text,
    nodeTextColor: text,
    titleColor: text,
    primaryBorderColor: nodeBorder,
    nodeBorder,
    lineColor: line,
    defaultLinkColor: line,
    arrowheadColor: line,
    clusterBkg: group,
    clusterBorder: groupBorder,
    actorBkg: node,
    actorBorder: nodeBorder,
    actorTextColor: text,
    actorLineColor: groupBorder,
    signalColor: line,
    signalTextColor: text,
    labelBoxBkgColor: group,
    labelBoxBorderColor: groupBorder,
    labelTextColor: text,
    loopTextColor: text,
    noteBkgColor: note,
    noteBorderColor: noteBorder,
    noteTextColor: text,
    activationBkgColor: group,
    activationBorderColor: groupBorder,
    sequenceNumberColor: ground,
  },
};

const blocks = mermaidBlocks(root, addressOf);
const wanted = new Map(blocks.map(({ source }) => [diagramFile(source), source]));
mkdirSync(join(root, DIAGRAMS_FOLDER), { recursive: true });
for (const name of readdirSync(join(root, DIAGRAMS_FOLDER)))
  if (!wanted.has(join(DIAGRAMS_FOLDER, name))) rmSync(join(root, DIAGRAMS_FOLDER, name));

const browser = await chromium.launch({
  executablePath: env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.setContent(`<!doctype html><style>${fontFace()}</style><p style="font-family: Inter">a</p>`);
  await page.evaluate(() => document.fonts.ready);
  await page.addScriptTag({ path: require.resolve('mermaid/dist/mermaid.min.js') });
  for (const [file, source] of wanted) {
    const id = `diagram-${basename(file, '.svg')}`;
    const svg = await page.evaluate(drawInPage, { id, source, config: CONFIG });
    writeFileSync(join(root, file), `${withVariables(svg, file)}\n`);
    console.log(`${file}: ${source.trim().split('\n', 1)[0]}`);
  }
} finally {
  await browser.close();
}

/** The font of the site, so that texts are measured as readers see them. */
function fontFace() {
  const folder = join(dirname(require.resolve('vitepress/package.json')), 'dist/client/theme-default/fonts');
  const font = readFileSync(join(folder, 'inter-roman-latin.woff2')).toString('base64');
  return `@font-face { font-family: Inter; font-weight: 100 900; src: url(data:font/woff2;base64,${font}) format('woff2'); }`;
}

function withVariables(svg, file) {
  let picture = svg;
  for (const [colour, name] of Object.entries(COLOURS)) {
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    picture = picture
      .replaceAll(`rgb(${r}, ${g}, ${b})`, `var(--diagram-${name})`)
      .replaceAll(colour, `var(--diagram-${name})`);
  }
  const fixed = picture.match(/rgba?\([^)]*\)|#[0-9a-f]{6}\b/gi);
  if (fixed !== null)
    throw new Error(`${file} has colours that are no variables: ${[...new Set(fixed)].join(', ')}`);
  return picture;
}
