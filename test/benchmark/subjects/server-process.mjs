// Servers that are measured run in processes of their own: `serveApart` starts one, and what stands at the end is what
// such a process does. A subject's file exports `serve(options)`, which returns `{ port, close }` and may add `answers`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const THIS_FILE = fileURLToPath(import.meta.url);

/**
 * @typedef {object} ServerProcess
 * @property {number} port on the loopback
 * @property {readonly number[]} ports all of them, where a subject has several
 * @property {() => Promise<number>} cpuMs CPU time of the process so far, all threads
 * @property {() => Promise<NodeJS.MemoryUsage>} memory after a collection of garbage
 * @property {(question: string) => Promise<unknown>} ask one of the `answers` of the subject's own
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} file name of the subject's file in this folder
 * @param {object} options what its `serve` gets
 * @returns {Promise<ServerProcess>}
 */
export async function serveApart(file, options = {}) {
  const child = fork(THIS_FILE, [file, JSON.stringify(options)], {
    execArgv: [...process.execArgv, '--expose-gc', '--no-warnings'], // `node --cpu-prof` profiles the servers, too
  });
  const [{ port, ports = [port] }] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error(`The server of ${file} did not start`))),
  ]);
  const ask = async (question) => {
    child.send(question);
    const [answer] = await once(child, 'message');
    return answer;
  };
  return {
    port,
    ports,
    cpuMs: () => ask('cpu'),
    memory: () => ask('memory'),
    ask,
    close: async () => {
      child.send('close');
      await once(child, 'exit');
    },
  };
}

if (process.argv[1] === THIS_FILE) {
  const [, , file, options] = process.argv;
  const { serve } = await import(new URL(file, import.meta.url).href);
  const { port, ports, close, answers: own } = await serve(JSON.parse(options));
  const answers = {
    ...own,
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    memory: () => {
      globalThis.gc();
      return process.memoryUsage();
    },
  };
  const answer = async (question) => {
    if (question !== 'close') return process.send(await answers[question]());
    await close();
    process.exit(0);
  };
  process.on('message', (question) => void answer(question));
  process.send({ port, ports });
}
