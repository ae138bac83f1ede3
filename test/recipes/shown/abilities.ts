import { AbilityBuilder, createMongoAbility, type MongoAbility } from '@casl/ability';
import {
  ForbiddenException,
  Injectable,
  SetMetadata,
  type CanActivate,
  type CustomDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { sessionOf, UserRoleClaim, type SessionContainer } from 'nest-sessions';

export type AppAbility = MongoAbility<
  ['read' | 'update' | 'delete', 'Article' | { kind: 'Article'; authorId: string }]
>;

/** The actions that a user may take, by the roles in the token: no look into a database. */
export function abilityOf(session: SessionContainer): AppAbility {
  const { can, build } = new AbilityBuilder<AppAbility>(createMongoAbility);
  const roles = UserRoleClaim.getValueFromPayload(session.getAccessTokenPayload(), {}) ?? [];
  can('read', 'Article');
  can('update', 'Article', { authorId: session.getUserId() });
  if (roles.includes('editor')) can(['update', 'delete'], 'Article');
  return build({ detectSubjectType: (subject) => subject.kind });
}

const ABILITY = 'required-ability';
type Required = [action: 'read' | 'update' | 'delete', subject: 'Article'];

export function RequireAbility(...required: Required): CustomDecorator {
  return SetMetadata(ABILITY, required);
}

/** Stands after SessionGuard: @UseGuards(SessionGuard, AbilityGuard). */
@Injectable()
export class AbilityGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const required = this.reflector.get<Required | undefined>(ABILITY, context.getHandler());
    if (required === undefined) return true;
    const session = sessionOf(context);
    if (session !== undefined && abilityOf(session).can(...required)) return true;
    throw new ForbiddenException(`You may not ${required.join(' ')}`);
  }
}
