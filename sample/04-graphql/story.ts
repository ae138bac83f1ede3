import { Visitor } from './visitor.js';

/** Runs a visitor who signs in, writes notes, subscribes to them, and signs out. */
export async function playStory(origin: string, log: (line: string) => void): Promise<void> {
  const visitor = new Visitor(origin);
  const tell = (what: string, value: unknown): void => log(`${what}: ${JSON.stringify(value)}`);

  tell('notes without a session', await visitor.ask('{ allNotes { text } }'));
  tell('signed in', await visitor.ask('mutation { signIn(userId: "ada") }'));
  tell('asked', await visitor.ask('{ greeting }'));
  tell('wrote', await visitor.ask('mutation { addNote(text: "hello") { text author } }'));

  const news = visitor.watch('subscription { noteAdded { text } }');
  tell('heard', await news.next());
  await visitor.ask('mutation { addNote(text: "again") { text } }');
  tell('heard', await news.next());

  tell('signed out', await visitor.ask('mutation { signOut }'));
  tell('subscription', await news.next());
}
