import { forwardRef, Global, Inject, Injectable, Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { RecipeDependencies, SessionGuard, SessionRecipe, SessionService } from 'nest-sessions';
import { TestApplication } from '../../support/test-application.js';

@Injectable()
class Users {
  constructor(readonly sessions: SessionService) {}
}

@Injectable()
class Audit {
  constructor(readonly users: Users) {}
}

@Injectable()
class Gate {
  constructor(readonly guard: SessionGuard) {}
}

@Injectable()
class LateUsers {
  constructor(@Inject(forwardRef(() => SessionService)) readonly sessions: SessionService) {}
}

@Global()
@Module({
  providers: [
    Users,
    Audit,
    Gate,
    LateUsers,
    { provide: 'made', inject: [Users], useFactory: (users: Users) => ({ users }) },
  ],
  exports: [Users, Audit, Gate, LateUsers, 'made'],
})
class UsersModule {}

@Injectable()
class UsersRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, readonly users: Users) { super(dependencies); } // prettier-ignore
}

@Injectable()
class AuditRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, readonly audit: Audit) { super(dependencies); } // prettier-ignore
}

@Injectable()
class GateRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, readonly gate: Gate) { super(dependencies); } // prettier-ignore
}

@Injectable()
class FactoryRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, @Inject('made') readonly made: object) { super(dependencies); } // prettier-ignore
}

@Injectable()
class LateRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, readonly modules: ModuleRef) { super(dependencies); } // prettier-ignore
}

@Injectable()
class ForwardRecipe extends SessionRecipe {
  constructor(dependencies: RecipeDependencies, readonly users: LateUsers) { super(dependencies); } // prettier-ignore
}

describe('a recipe whose dependencies need the sessions themselves', () => {
  it.each([
    [UsersRecipe, 'UsersRecipe -> Users -> SessionService -> UsersRecipe'],
    [AuditRecipe, 'AuditRecipe -> Audit -> Users -> SessionService -> AuditRecipe'],
    [GateRecipe, 'GateRecipe -> Gate -> SessionGuard -> GateRecipe'],
    [FactoryRecipe, 'FactoryRecipe -> made -> Users -> SessionService -> FactoryRecipe'],
  ])('is refused at the start, with the circle: %p', async (recipe, path) => {
    const starter = TestApplication.withoutServer().with({ recipe }).imports(UsersModule);
    await expect(starter.start()).rejects.toThrow(`SessionModule cannot start: ${path} is a circle`);
  });

  it('starts where the recipe looks for them when it is called', async () => {
    const { get } = await TestApplication.withoutServer()
      .with({ recipe: LateRecipe })
      .imports(UsersModule)
      .start();
    expect(get(Users).sessions).toBe(get(SessionService));
  });

  it('starts where the dependency gets them by forwardRef', async () => {
    const { get } = await TestApplication.withoutServer()
      .with({ recipe: ForwardRecipe })
      .imports(UsersModule)
      .start();
    expect(get(LateUsers).sessions).toBe(get(SessionService));
  });
});
