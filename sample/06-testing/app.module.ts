import { Module } from '@nestjs/common';
import { SessionModule, embeddedCore, postgresStore } from 'nest-sessions';
import pg from 'pg';
import { PlanClaim } from './billing.js';
import { NotesController } from './notes.controller.js';
import { Notes } from './notes.js';
import { SignInController } from './sign-in.controller.js';

/** The application as in production: sessions in PostgreSQL, API and website on different hosts, anti-CSRF by token. */
@Module({
  imports: [
    SessionModule.forRootAsync({
      useFactory: () => ({
        appInfo: {
          appName: 'Notes',
          apiDomain: 'https://api.notes.example.com',
          websiteDomain: 'https://notes.example.com',
        },
        core: embeddedCore({
          store: postgresStore(new pg.Pool({ connectionString: process.env['DATABASE_URL'] })),
        }),
        antiCsrf: 'VIA_TOKEN',
        claims: [PlanClaim],
      }),
    }),
  ],
  controllers: [NotesController, SignInController],
  providers: [Notes],
})
export class AppModule {}
