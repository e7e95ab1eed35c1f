/** Compares the clock of a gate with the issue time of a token that it refuses. */
import * as z from "zod"

const claimsSchema = z.object({ iat: z.number() })

/** How many seconds after the gate's own time the token was issued; 0 when that is unknown. */
export function secondsAhead(accessToken: string, response: Response): number {
  const date = Date.parse(response.headers.get("date") ?? "")
  const issuedAt = issuedAtOf(accessToken)
  return issuedAt === undefined || Number.isNaN(date) ? 0 : Math.max(0, issuedAt - date / 1000)
}

/** The token is opaque to a client (RFC 9068 §6): this only guesses, and no payment depends on it. */
function issuedAtOf(accessToken: string): number | undefined {
  try {
    const payload = (accessToken.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")
    return claimsSchema.parse(JSON.parse(atob(payload))).iat
  } catch {
    return undefined
  }
}
