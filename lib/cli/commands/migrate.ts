import { isSet, type Command } from '../command.js';
import { EXIT, RefusedError } from '../io.js';
import { fromStore, isMigratable } from '../open-sessions.js';
import { jsonText } from '../output.js';
import { withProgress } from '../progress.js';

export const migrate: Command = {
  name: 'migrate',
  summary: 'Shows the statements that bring the tables up to date, and runs them with --apply.',
  details: `The statements add to the tables and remove nothing, so that earlier versions keep
working beside this one. They run in one transaction. Redis needs none.`,
  options: { apply: { text: 'runs them' } },
  run: async (call) => {
    const { store, description } = await call.open({ anyTables: true });
    if (store === undefined)
      throw new RefusedError(
        'only the store of an embedded core has tables here: give it by --store or --config',
      );
    const { stdout } = call.io;
    const report = (statements: readonly string[], isApplied: boolean, text: string): number => {
      stdout(isSet(call, 'json') ? jsonText({ core: description, statements, isApplied }) : text);
      return EXIT.done;
    };
    if (!isMigratable(store))
      return report([], false, 'This store has no tables, so there is nothing to migrate.\n');
    const planned = await fromStore(store.planMigration());
    if (planned.length === 0) return report([], false, 'The tables are up to date.\n');
    const plan = planned.map((text) => `${text};\n`).join('');
    if (!isSet(call, 'apply'))
      return report(planned, false, `${plan}\n-- No table was changed: --apply runs these statements.\n`);
    if (!isSet(call, 'json')) stdout(plan);
    // How far a transaction has come is not known, so that it works is all that can be shown.
    await withProgress(call.io, 'statements under way', async (progress) => {
      progress.show(planned.length);
      await fromStore(store.migrate());
    });
    return report(planned, true, '\n-- The tables are up to date now.\n');
  },
};
