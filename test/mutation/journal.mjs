// Writes each result when it is there, so that a run that is cut off leaves what it has found.
import { appendFileSync, writeFileSync } from 'node:fs';
import { env } from 'node:process';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';

class Journal {
  #file = `build/mutation/${env['MUTATION_GROUP']}.jsonl`;

  onMutationTestingPlanReady({ mutantPlans }) {
    writeFileSync(this.#file, '');
    appendFileSync(this.#file, `${JSON.stringify({ planned: mutantPlans.length })}\n`);
  }

  onMutantTested({ fileName, location, mutatorName, replacement, status, statusReason, killedBy }) {
    const line = { fileName, location, mutatorName, replacement, status, statusReason, killedBy };
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Reporter, 'journal', Journal)];
