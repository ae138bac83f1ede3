import { UseGuards } from '@nestjs/common';
import { Args, Context, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import {
  OptionalSession,
  PublicAccess,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
} from 'nest-sessions';
import { Note, Notes } from './notes.js';

/** The GraphQL context: the request and the response, under the names of the adapter. */
interface GraphqlContext {
  readonly req: unknown;
  readonly res: unknown;
}

/** The guard and `@Session()` are the same as on a controller. */
@Resolver()
@UseGuards(SessionGuard)
export class NotesResolver {
  constructor(
    private readonly sessions: SessionService,
    private readonly notes: Notes,
  ) {}

  /** The application itself identifies the user; the demo accepts every name. */
  @Mutation(() => String)
  @PublicAccess()
  async signIn(@Args('userId') userId: string, @Context() { req, res }: GraphqlContext): Promise<string> {
    await this.sessions.createNewSession(req, res, { userId });
    return userId;
  }

  @Mutation(() => Boolean)
  async signOut(@Session() session: SessionContainer): Promise<boolean> {
    await session.revokeSession();
    return true;
  }

  @Query(() => String)
  @OptionalSession()
  greeting(@Session('userId') userId?: string): string {
    return userId === undefined ? 'Hello, visitor' : `Hello, ${userId}`;
  }

  @Query(() => [Note])
  allNotes(): readonly Note[] {
    return this.notes.all();
  }

  @Mutation(() => Note)
  addNote(@Args('text') text: string, @Session('userId') userId: string): Note {
    return this.notes.add(new Note(text, userId));
  }

  /** The module closes its connection when the session ends. */
  @Subscription(() => Note)
  noteAdded(): AsyncGenerator<{ noteAdded: Note }> {
    return this.notes.watch();
  }
}
