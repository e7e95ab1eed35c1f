/** Rules of RFC 8693: token exchange, where the service offers it. */

import { form } from "../http.ts"
import { NotRun, requireEqual, requireStatus } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"

const exchangeType = "urn:ietf:params:oauth:grant-type:token-exchange"
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

async function requireExchange(subject: Subject): Promise<void> {
  const types = (await subject.metadata()).grant_types_supported
  if (!Array.isArray(types) || !types.includes(exchangeType))
    throw new NotRun("the service does not offer token exchange")
}

export const tokenExchangeRules: readonly Rule[] = [
  {
    id: "N-8693-1",
    clause: "RFC 8693 §2.1",
    promise: "a token exchange without subject_token or its type is invalid_request",
    async check(subject) {
      await requireExchange(subject)
      for (const parameters of [{}, { subject_token: "a" }, { subject_token_type: accessTokenType }]) {
        const { status, body } = await subject.atToken(form({ grant_type: exchangeType, ...parameters }))
        requireEqual(
          `with ${Object.keys(parameters).join() || "neither"}`,
          [status, body.error],
          [400, "invalid_request"],
        )
      }
    },
  },
  {
    id: "N-8693-2",
    clause: "RFC 8693 §2.2.1, §2.2.2",
    promise: "an exchange names the issued type; an unknown resource or audience is invalid_target",
    async check(subject) {
      await requireExchange(subject)
      const subject_token = await subject.token()
      const parameters = { grant_type: exchangeType, subject_token, subject_token_type: accessTokenType }
      const asked = (more: Record<string, string>) => subject.atToken(form({ ...parameters, ...more }))
      for (const name of ["resource", "audience"]) {
        const { status, body } = await asked({ [name]: "https://elsewhere.example" })
        requireEqual(`an unknown ${name}`, [status, body.error], [400, "invalid_target"])
      }
      const good = await asked({})
      requireStatus("an exchange", good, 200)
      requireEqual("issued_token_type", good.body.issued_token_type, accessTokenType)
    },
  },
]
