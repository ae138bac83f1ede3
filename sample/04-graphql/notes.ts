import { EventEmitter, on } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Field, ObjectType } from '@nestjs/graphql';

@ObjectType()
export class Note {
  @Field(() => String)
  readonly text: string;

  @Field(() => String)
  readonly author: string;

  constructor(text: string, author: string) {
    this.text = text;
    this.author = author;
  }
}

/** The application's data: notes in memory, and a stream of new ones. */
@Injectable()
export class Notes {
  private readonly notes: Note[] = [];
  private readonly news = new EventEmitter();

  all(): readonly Note[] {
    return this.notes;
  }

  add(note: Note): Note {
    this.notes.push(note);
    this.news.emit('added', note);
    return note;
  }

  /** All notes, and then each new one, until the reader stops. */
  async *watch(): AsyncGenerator<{ noteAdded: Note }> {
    const added = on(this.news, 'added') as AsyncIterable<[Note]>;
    for (const note of this.notes.slice()) yield { noteAdded: note };
    for await (const [note] of added) yield { noteAdded: note };
  }
}
