import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { addSessionsToOpenApi } from 'nest-sessions/integrations';

export function describeApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder().setTitle('Shop').setVersion('1').build();
  return addSessionsToOpenApi(SwaggerModule.createDocument(app, config), app);
}

/** In main.ts, before `app.listen`. */
export function serveDocumentation(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => describeApi(app));
}
