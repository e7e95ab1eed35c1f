/** What becomes of a token later: introspection (RFC 7662) and revocation (RFC 7009). */

import { setTimeout as delay } from "node:timers/promises"
import { decodeJwt } from "jose"
import { headerOf, resigned, stranger } from "../forgery.ts"
import type { Rule } from "../rule.ts"
import { want, wantSame, wantStatus } from "../want.ts"
import { type Answer, form, send } from "../wire.ts"
import { nobodys, revocationBy } from "./bearer.ts"

/** Within which the service says that no gate accepts what was taken back. */
const boundSeconds = 5

export const tokenCareRules: readonly Rule[] = [
  {
    id: "N-7662-1",
    clause: "RFC 7662 §2.1, §4",
    promise: "introspection tells nothing to a caller who does not say who it is",
    async check(subject) {
      const url = await subject.endpoint("introspection_endpoint")
      const token = subject.means.payer || subject.means.client ? await subject.token() : nobodys
      const wrong = `Basic ${Buffer.from("nobody:0123456789abcdef").toString("base64")}`
      for (const headers of [
        [],
        [["authorization", wrong]],
        [["authorization", `Bearer ${token}`]],
      ] as const) {
        const asked = form({ token })
        const answer = await send(url, { ...asked, headers: [...asked.headers, ...headers] })
        wantStatus(headers[0]?.[1].split(" ")[0] ?? "nobody", answer, 401)
        want(answer.header("www-authenticate") !== "", "a 401: found no challenge, wanted one")
        want(!("active" in answer.body), "a 401: found a word on the token")
      }
    },
  },
  {
    id: "N-7662-2",
    clause: "RFC 7662 §2.2",
    promise: 'of an expired, revoked, unknown or foreign token it says {"active":false} and no more',
    async check(subject) {
      const key = subject.key()
      const good = await subject.refreshed()
      wantSame("a good token", (await subject.introspect(good.token)).body.active, true)
      const claims = decodeJwt(good.token)
      const past = { iat: (claims.iat ?? 0) - 7200, exp: (claims.iat ?? 0) - 3600 }
      wantStatus("a revocation", await revocationBy(subject, good.token), 200)
      const inactive = {
        unknown: "nothing",
        foreign: stranger().sign(headerOf(good.token), claims),
        forged: resigned(good.token, nobodys.slice(0, 20)),
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
    promise: "a revocation is 200 whatever the token, and the gate refuses it within 5 s",
    async check(subject) {
      const { token } = await subject.refreshed()
      const shown = () => subject.atGate([["authorization", `Bearer ${token}`]])
      wantStatus("before", await shown(), 200)
      for (const [what, each] of [
        ["valid", token],
        ["revoked", token],
        ["unknown", "nothing"],
      ] as const)
        wantStatus(`a revocation of one that is ${what}`, await revocationBy(subject, each), 200)
      const answer = await eventually(shown, ({ status }) => status !== 200, boundSeconds)
      wantStatus("afterwards", answer, 401)
      want(answer.header("payment-required") === "", "afterwards: found a price, wanted none")
    },
  },
]

async function wantInactive(what: string, ask: () => Promise<Answer>, withinSeconds: number): Promise<void> {
  const answer = await eventually(ask, ({ text }) => text === '{"active":false}', withinSeconds)
  wantStatus(what, answer, 200)
  wantSame(what, answer.body, { active: false })
}

/** The last answer, when none was as wanted in time. */
async function eventually(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  seconds: number,
): Promise<Answer> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (wanted(answer) || performance.now() >= deadline) return answer
    await delay(100)
  }
}
