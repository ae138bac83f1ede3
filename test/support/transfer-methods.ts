import type { SessionModuleOptions } from 'nest-sessions';

/** The transfer method that a request may use stands in its `x-allowed` header; without one any is, as by default. */
export const allowedByHeader: NonNullable<SessionModuleOptions['getTokenTransferMethod']> = ({ req }) => {
  const allowed = req.getHeaderValue('x-allowed');
  return allowed === 'cookie' || allowed === 'header' ? allowed : 'any';
};
