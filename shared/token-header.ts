/** Names the header that carries an access token where `Authorization` does not. */

/**
 * Carries the access token that a payment at a gated route bought, for further calls. Requests show their token in it, as
 * `Bearer …` or `DPoP …`, where the API needs `Authorization` for its own login.
 */
export const tokenHeader = "Ticket402-Token"
export type TokenHeader = typeof tokenHeader
