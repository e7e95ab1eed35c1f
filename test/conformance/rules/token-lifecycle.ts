/** Rules of RFC 7662 and RFC 7009: introspection and revocation. */

import { setTimeout as delay } from "node:timers/promises"
import { decodeJwt } from "jose"
import { createForeignKey, headerOf, withSignature } from "../forgery.ts"
import { type Answer, form, send } from "../http.ts"
import { requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import { revocationBy, unknownToken } from "./bearer.ts"

/** Seconds after a revocation in which every gate must refuse the token. */
const boundSeconds = 5

export const tokenLifecycleRules: readonly Rule[] = [
  {
    id: "N-7662-1",
    clause: "RFC 7662 §2.1, §4",
    promise: "introspection refuses a caller without valid credentials",
    async check(subject) {
      const url = await subject.endpoint("introspection_endpoint")
      const token = subject.access.payer || subject.access.client ? await subject.token() : unknownToken
      const wrong = `Basic ${Buffer.from("nobody:0123456789abcdef").toString("base64")}`
      for (const headers of [
        [],
        [["authorization", wrong]],
        [["authorization", `Bearer ${token}`]],
      ] as const) {
        const asked = form({ token })
        const answer = await send(url, { ...asked, headers: [...asked.headers, ...headers] })
        requireStatus(headers[0]?.[1].split(" ")[0] ?? "nobody", answer, 401)
        requireThat(answer.header("www-authenticate") !== "", "a 401: found no challenge, wanted one")
        requireThat(!("active" in answer.body), "a 401: found the state of the token")
      }
    },
  },
  {
    id: "N-7662-2",
    clause: "RFC 7662 §2.2",
    promise: 'an expired, revoked, unknown or foreign token is {"active":false} and nothing else',
    async check(subject) {
      const key = subject.key()
      const good = await subject.refreshed()
      requireEqual("a good token", (await subject.introspect(good.token)).body.active, true)
      const claims = decodeJwt(good.token)
      const past = { iat: (claims.iat ?? 0) - 7200, exp: (claims.iat ?? 0) - 3600 }
      requireStatus("a revocation", await revocationBy(subject, good.token), 200)
      const inactive = {
        unknown: "nothing",
        foreign: createForeignKey().sign(headerOf(good.token), claims),
        forged: withSignature(good.token, unknownToken.slice(0, 20)),
        expired: await key.sign({ ...claims, ...past }),
        "of another issuer": await key.sign({ ...claims, iss: "https://elsewhere.example" }),
      }
      for (const [what, token] of Object.entries(inactive))
        await wantInactive(what, () => subject.introspect(token), 0)
      await wantInactive("revoked", () => subject.introspect(good.token), boundSeconds)
    },
  },
  {
    id: "N-7009-1",
    clause: "RFC 7009 §2.1, §2.2",
    promise: "a revocation is 200 for any token, and the gate refuses the token within 5 s",
    async check(subject) {
      const { token } = await subject.refreshed()
      const shown = () => subject.atGate([["authorization", `Bearer ${token}`]])
      requireStatus("before", await shown(), 200)
      for (const [what, each] of [
        ["valid", token],
        ["revoked", token],
        ["unknown", "nothing"],
      ] as const)
        requireStatus(`a revocation of a token that is ${what}`, await revocationBy(subject, each), 200)
      const answer = await eventually(shown, ({ status }) => status !== 200, boundSeconds)
      requireStatus("afterwards", answer, 401)
      requireThat(answer.header("payment-required") === "", "after it: found a price, wanted none")
    },
  },
]

async function wantInactive(what: string, ask: () => Promise<Answer>, withinSeconds: number): Promise<void> {
  const answer = await eventually(ask, ({ text }) => text === '{"active":false}', withinSeconds)
  requireStatus(what, answer, 200)
  requireEqual(what, answer.body, { active: false })
}

/** Returns the last answer if none was accepted in time. */
async function eventually(
  ask: () => Promise<Answer>,
  accepts: (answer: Answer) => boolean,
  seconds: number,
): Promise<Answer> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (accepts(answer) || performance.now() >= deadline) return answer
    await delay(100)
  }
}
