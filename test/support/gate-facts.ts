/** Builds the facts of a request to a gated route, without a server. */
import type { GateFacts } from "../../server/gate/handle-gate.ts"
import type { PlainAnswer } from "../../shared/oauth/gate-answer.ts"

export const gateFacts = ({
  authorization = [],
  dpop = [],
  payment = false,
  queryToken = false,
  path = "/movies/1",
  ...rest
}: Partial<GateFacts> & {
  readonly authorization?: readonly string[]
  readonly dpop?: readonly string[]
  readonly payment?: boolean
  readonly queryToken?: boolean
  readonly path?: string
}): GateFacts => ({
  method: "GET",
  target: queryToken ? `${path}?access_token=x` : path,
  rawHeaders: [
    ...authorization.flatMap((value) => ["Authorization", value]),
    ...dpop.flatMap((value) => ["DPoP", value]),
    ...(payment ? ["PAYMENT-SIGNATURE", "e30="] : []),
  ],
  scope: "movies:read",
  ...rest,
})

/** The reason of a refusal, from its body: a 402 has it as `error`, every other answer as `reason`. */
export function reasonIn({ body }: PlainAnswer): string {
  const { reason, error } = JSON.parse(body) as { reason?: string; error?: string }
  return reason ?? error ?? ""
}
