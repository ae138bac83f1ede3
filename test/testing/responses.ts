export const TRY_REFRESH = { message: 'try refresh token' };
export const UNAUTHORISED = { message: 'unauthorised' };
