/** A call that is answered with a status other than 200 and a line of text, as a Core does (docs/protocol/core.md A3). */
export class CdiRefusal extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 413,
    message: string,
  ) {
    super(message);
    this.name = 'CdiRefusal';
  }
}
