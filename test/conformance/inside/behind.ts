/** Rules of what stands behind the address: several processes, the store, logs, and the service that is sold. */
import { setTimeout as delay } from "node:timers/promises"
import { createProofKey, proofOf } from "../../support/proofs.ts"
import { type Fixture, tokenOf } from "../fixture.ts"
import type { Rule } from "../rule.ts"
import { Unseen, want, wantSame, wantStatus } from "../want.ts"
import { type Answer, form, send, withHeaders } from "../wire.ts"

const shownTo = (origin: string, { direct }: Fixture, token: string): Promise<Answer> =>
  send(`${origin}${direct.means.route}`, { headers: [["authorization", `Bearer ${token}`]] })

export const behindRules: readonly Rule<Fixture>[] = [
  {
    id: "N-9449-6",
    clause: "RFC 9449 §11.1",
    promise: "a proof is taken once, whichever process sees it first",
    async check(fixture) {
      const { url } = fixture.direct.means
      const mate = await fixture.openMate()
      try {
        const places = [`${url}/token`, `${mate.origin}/cinema/token`]
        const key = await createProofKey()
        const ask = async (place: string, nonce?: string) => {
          const at = Math.floor(Date.now() / 1000)
          const proof = await proofOf(key, { method: "POST", url: `${url}/token`, at, nonce })
          const asked = form({ grant_type: "refresh_token", refresh_token: "of.nobody" })
          return { proof, answer: await send(place, withHeaders(asked, [["dpop", proof]])), asked }
        }
        const { answer } = await ask(places[0] ?? "")
        const { asked, proof, answer: first } = await ask(places[1] ?? "", answer.header("dpop-nonce"))
        wantSame("at one process, with the nonce of the other", first.body.error, "invalid_grant")
        for (const place of places) {
          const again = await send(place, withHeaders(asked, [["dpop", proof]]))
          wantSame("again", again.body.error, "invalid_dpop_proof")
        }
      } finally {
        await mate.close()
      }
    },
  },
  {
    id: "N-7009-1",
    clause: "RFC 7009 §2.2",
    promise: "what is revoked at one process is refused by every other within 5 s",
    async check(fixture) {
      const mate = await fixture.openMate()
      try {
        const token = await tokenOf(fixture.direct)
        wantStatus("before", await shownTo(mate.origin, fixture, token), 200)
        const { id, secret } = fixture.direct.means.client ?? { id: "", secret: "" }
        const asked = form({ token, client_id: id, client_secret: secret })
        wantStatus("a revocation", await send(`${fixture.direct.means.url}/revoke`, asked), 200)
        const deadline = performance.now() + 5000
        let answer = await shownTo(mate.origin, fixture, token)
        while (answer.status === 200 && performance.now() < deadline) {
          await delay(100)
          answer = await shownTo(mate.origin, fixture, token)
        }
        wantStatus("afterwards, at the other process", answer, 401)
      } finally {
        await mate.close()
      }
    },
  },
  {
    id: "N-7009-2",
    clause: "RFC 7009 §2.2.1",
    promise: "while the store is away a revocation is 503 with Retry-After, and the token lives",
    async check(fixture) {
      const mate = await fixture.openMate()
      try {
        const token = await tokenOf(fixture.direct)
        // What holds its store is gone, and it still listens.
        await mate.issuer.close()
        const answer = await send(`${mate.origin}/cinema/revoke`, form({ token }))
        wantStatus("a revocation", answer, 503)
        want(Number(answer.header("retry-after")) > 0, "found no Retry-After, wanted it")
        wantStatus(
          "at another process",
          await shownTo(new URL(fixture.direct.means.url).origin, fixture, token),
          200,
        )
      } finally {
        await mate.close()
      }
    },
  },
  {
    id: "N-9700-3",
    clause: "RFC 9700 §4.9, §4.10",
    promise: "no token reaches the service behind nginx, or a log",
    async check({ upstream, logged }) {
      want(logged.length > 20, `found ${logged.length} lines in the logs, wanted some to look at`)
      // Every token here is signed, and begins with the base64url of `{"alg"`.
      const token = /eyJhbGciOi/
      want(!logged.some((line) => token.test(line)), "found a token in a log")
      if (upstream.length === 0) throw new Unseen("needs nginx")
      want(!upstream.some((headers) => token.test(JSON.stringify(headers))), "found a token behind nginx")
    },
  },
  {
    id: "N-9700-5",
    clause: "RFC 9700 §4.13",
    promise: "what a stranger writes into headers of proxies does not reach the service behind nginx",
    async check(fixture) {
      const { proxied, upstream } = fixture
      if (!proxied) throw new Unseen("needs nginx")
      const token = await tokenOf(proxied)
      const names = ["ticket402-subject", "ticket402-grant", "ticket402-scope", "ticket402-paid"]
      const pretended = [
        ...names,
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "dpop",
      ]
      const headers = [
        ["authorization", `Bearer ${token}`],
        ...pretended.map((name) => [name, "evil"]),
      ] as const
      const before = upstream.length
      const fields = headers.map(([name = "", value = ""]) => [name, value] as const)
      wantStatus(
        "with all of them",
        await send(`${proxied.means.url}${proxied.means.route}`, { headers: fields }),
        200,
      )
      wantSame("requests behind nginx", upstream.length - before, 1)
      want(!JSON.stringify(upstream.at(-1)).includes("evil"), "found a stranger's words behind nginx")
    },
  },
]
