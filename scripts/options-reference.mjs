// Writes docs/reference/options.md from the tables of options: names, types, and the comments that editors show. `--print` writes to
// standard output instead.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import ts from 'typescript';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'docs/reference/options.md');

/** The interfaces of options, in the order of the page: file, name, heading. */
const SECTIONS = [
  ['lib/session.options.ts', 'SessionModuleOptions', 'SessionModule.forRoot'],
  ['lib/options/app-info.ts', 'AppInfoOptions', 'appInfo'],
  ['lib/options/feature-options.ts', 'SessionLifetime', 'lifetime'],
  ['lib/options/feature-options.ts', 'SessionLimit', 'maxSessionsPerUser'],
  ['lib/options/feature-options.ts', 'DeviceOptions', 'devices'],
  ['lib/options/feature-options.ts', 'UserSessionRoutesOptions', 'userSessionRoutes'],
  ['lib/options/schema-options.ts', 'SessionSchemas', 'schemas'],
  ['lib/options/device-bound-options.ts', 'DeviceBoundOptions', 'deviceBound'],
  ['lib/options/device-bound-options.ts', 'DbscOptions', 'deviceBound.dbsc'],
  ['lib/options/device-bound-options.ts', 'DpopOptions', 'deviceBound.dpop'],
  ['lib/options/back-channel-logout-options.ts', 'BackChannelLogoutOptions', 'backChannelLogout'],
  ['lib/options/back-channel-logout-options.ts', 'LogoutProvider', 'backChannelLogout.providers'],
  ['lib/options/observability-options.ts', 'RateLimitOptions', 'rateLimit'],
  ['lib/feed/feed-options.ts', 'RevocationFeedOptions', 'revocationFeed'],
  ['lib/audit/audit-options.ts', 'AuditOptions', 'audit'],
  ['lib/core/embedded/embedded-core-config.ts', 'EmbeddedCoreOptions', 'embeddedCore'],
  ['lib/core/embedded/key-encryption-options.ts', 'KeyEncryptionOptions', 'embeddedCore.keyEncryption'],
  ['lib/stores/store-options.ts', 'MemoryStoreOptions', 'memoryStore'],
  ['lib/stores/store-options.ts', 'SqliteStoreOptions', 'sqliteStore'],
  ['lib/stores/store-options.ts', 'PostgresStoreOptions', 'postgresStore'],
  ['lib/stores/store-options.ts', 'RedisStoreOptions', 'redisStore'],
  ['lib/core/remote/remote-core-config.ts', 'RemoteCoreOptions', 'remoteCore'],
  ['lib/core/server/session-core-options.ts', 'SessionCoreModuleOptions', 'SessionCoreModule.forRoot'],
  ['lib/dashboard/dashboard-options.ts', 'SessionDashboardOptions', 'SessionDashboardModule.forRoot'],
  ['lib/verify/verifier-options.ts', 'SessionVerifierOptions', 'createSessionVerifier'],
  ['lib/verify/served-revocations.ts', 'ServedRevocationsOptions', 'servedRevocations'],
];

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
const program = ts.createProgram([...new Set(SECTIONS.map(([file]) => join(root, file)))], options);
const checker = program.getTypeChecker();

const page = [
  '# Options',
  'Every option with its type, its default and its meaning. The page is made from the tables of options in `lib/` by ' +
    '`npm run docs:options`; do not edit it by hand.',
  ...SECTIONS.flatMap(([file, name, heading]) => section(file, name, heading)),
].join('\n\n');
const format = await prettier.resolveConfig(target);
const text = await prettier.format(page, { ...format, parser: 'markdown' });
if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(target, text);

function section(file, name, heading) {
  const declaration = program
    .getSourceFile(join(root, file))
    ?.statements.find((statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === name);
  if (declaration === undefined) throw new Error(`${file} has no interface ${name}`);
  const type = checker.getTypeAtLocation(declaration);
  const rows = inSourceOrder(checker.getPropertiesOfType(type)).map(row);
  return [
    `## \`${heading}\``,
    describe(type.symbol),
    ['| Option | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  ];
}

/** In the order of the source; the options of one table stay together. */
function inSourceOrder(properties) {
  const places = properties.map((property) => {
    const [declaration] = property.declarations;
    return { property, file: declaration.getSourceFile().fileName, start: declaration.pos };
  });
  const files = [...new Set(places.map(({ file }) => file))];
  return places
    .sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.start - b.start)
    .map(({ property }) => property);
}

function row(property) {
  const isRequired = (property.flags & ts.SymbolFlags.Optional) === 0;
  const tag = property.getJsDocTags(checker).find(({ name }) => name === 'defaultValue');
  const meaning = describe(property);
  if (meaning === '') throw new Error(`The option ${property.name} has no documentation`);
  if (isRequired === (tag !== undefined))
    throw new Error(`${property.name}: @defaultValue is for optional options`);
  const fallback = isRequired ? 'required' : ts.displayPartsToString(tag.text);
  const cells = [`\`${nameOf(property)}\``, `\`${typeOf(property)}\``, fallback, meaning];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')).join(' | ')} |`;
}

function nameOf({ name, valueDeclaration }) {
  return name.startsWith('__@') ? valueDeclaration.name.getText() : name;
}

/** The type in short: functions and objects without a name are only called so. */
function typeOf(property) {
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(property));
  const parts = type.isUnion() && (type.flags & ts.TypeFlags.Boolean) === 0 ? type.types : [type];
  return [...new Set(parts.map(shortName))].sort().join(' | ').replace('false | true', 'boolean');
}

function shortName(type) {
  if (type.getCallSignatures().length > 0) return 'function';
  if (type.getConstructSignatures().length > 0) return 'class';
  const text = checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
  return text.startsWith('{') || text.startsWith('Voluntary') ? 'object' : text;
}

function describe(symbol) {
  return ts
    .displayPartsToString(symbol.getDocumentationComment(checker))
    .replaceAll(/\{@link (\w+)\}/g, '`$1`');
}
