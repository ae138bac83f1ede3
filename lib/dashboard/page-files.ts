import { readFileSync } from 'node:fs';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** The files that the page loads, by name. */
const ASSETS = [
  'page.js',
  'calls.js',
  'charts.js',
  'dom.js',
  'ending.js',
  'lists.js',
  'overview-view.js',
  'sessions-view.js',
  'story-view.js',
  'system-view.js',
  'texts.js',
  'trail-view.js',
] as const;
/** The files for visitors who are not let in: the looks and a script, and no data. */
const OPEN_FILES = ['page.css', 'renew.js', 'icon.svg'] as const;

/** A static file of the package. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** Reads the files of the page once. */
export class PageFiles {
  readonly page: PageFile = readPageFile('page.html');
  readonly refused: PageFile = readPageFile('refused.html');
  private readonly assets = readFiles(ASSETS);
  private readonly open = readFiles(OPEN_FILES);

  findAsset(name: string): PageFile | undefined {
    return this.assets.get(name);
  }

  findOpen(name: string): PageFile | undefined {
    return this.open.get(name);
  }
}

function readFiles(names: readonly string[]): ReadonlyMap<string, PageFile> {
  return new Map(names.map((name) => [name, readPageFile(name)]));
}

/** @throws {Error} the package was bundled without the files beside its code */
function readPageFile(name: string): PageFile {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/plain';
  try {
    return { type, text: readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8') };
  } catch (cause) {
    throw new Error(
      `SessionDashboardModule: its file page/${name} is not beside its code. Do not bundle nest-sessions into the application: keep it external`,
      { cause },
    );
  }
}

/** Fills in the places of a page; what is filled in can hold no markup. */
export function fillPage({ type, text }: PageFile, values: Readonly<Record<string, string>>): PageFile {
  return {
    type,
    text: text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => escapeMarkup(values[name] ?? '')),
  };
}

function escapeMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
