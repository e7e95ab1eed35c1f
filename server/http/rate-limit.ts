/** The fields that tell a caller what his grant has left (draft-ietf-httpapi-ratelimit-headers-10). */
import type { Charge } from "../gate/metering.ts"

/** There is no window, so no reset: what is used up is bought anew. `returned`: the call costs nothing after all. */
export const rateLimitFields = (
  { quota, remaining, cost }: Pick<Charge, "quota" | "remaining" | "cost">,
  returned: boolean,
): Readonly<Record<string, string>> => ({
  "ratelimit-policy": `"grant";q=${quota}`,
  ratelimit: `"grant";r=${remaining + (returned ? cost : 0)}`,
})
