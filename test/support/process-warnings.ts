import { jest } from '@jest/globals';

/** A process warning: its message, and all that is printed with it. */
export interface NotedWarning {
  readonly message: string;
  readonly text: string;
}

/** Keeps process warnings from being printed and notes them. */
export class ProcessWarnings {
  readonly noted: NotedWarning[] = [];
  private readonly spy = jest.spyOn(process, 'emitWarning').mockImplementation(((
    warning: string | Error,
    options?: { detail?: string },
  ) => {
    const message = warning instanceof Error ? warning.message : warning;
    const stack = warning instanceof Error ? (warning.stack ?? '') : '';
    this.noted.push({ message, text: [message, stack, options?.detail ?? ''].join('\n') });
  }) as typeof process.emitWarning);

  /** The messages so far, which are forgotten then. */
  take(): string[] {
    return this.noted.splice(0).map(({ message }) => message);
  }

  restore(): void {
    this.spy.mockRestore();
  }
}
