import { Converter, ReflectionKind } from 'typedoc';

/** Gives each door of the package the name that applications import: typedoc would call them by their folders. */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const door of project.getChildrenByKind(ReflectionKind.Module))
      door.name = door.name === 'index' ? 'nest-sessions' : `nest-sessions/${door.name}`;
  });
}
