import { Injectable } from '@nestjs/common';

@Injectable()
export class Notes {
  private readonly byUser = new Map<string, string[]>();

  of(userId: string): readonly string[] {
    return this.byUser.get(userId) ?? [];
  }

  add(userId: string, text: string): readonly string[] {
    const notes = [...this.of(userId), text];
    this.byUser.set(userId, notes);
    return notes;
  }

  forget(userId: string): void {
    this.byUser.delete(userId);
  }
}
