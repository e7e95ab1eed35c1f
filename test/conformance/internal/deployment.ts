/** Rules about several instances, the store, the logs and the protected service. */
import { setTimeout as delay } from "node:timers/promises"
import { proofOf } from "../../support/proofs.ts"
import { type Fixture, tokenOf } from "../fixture.ts"
import { type Answer, form, send, withHeaders } from "../http.ts"
import { NotRun, requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import { createSubject } from "../subject.ts"

const shownTo = (origin: string, { direct }: Fixture, token: string): Promise<Answer> =>
  send(`${origin}${direct.access.route}`, { headers: [["authorization", `Bearer ${token}`]] })

export const deploymentRules: readonly Rule<Fixture>[] = [
  {
    id: "N-9449-6",
    clause: "RFC 9449 §11.1",
    promise: "a proof is accepted once, by whichever instance sees it first",
    async check(fixture) {
      const { url } = fixture.direct.access
      const second = await fixture.openSecondInstance()
      try {
        const tokenUrls = [`${url}/token`, `${second.origin}/cinema/token`]
        const { key, refreshToken } = await createSubject(fixture.direct.access).bound()
        const ask = async (tokenUrl: string, nonce?: string) => {
          const at = Math.floor(Date.now() / 1000)
          const proof = await proofOf(key, { method: "POST", url: `${url}/token`, at, nonce })
          const asked = form({ grant_type: "refresh_token", refresh_token: refreshToken })
          return { proof, answer: await send(tokenUrl, withHeaders(asked, [["dpop", proof]])), asked }
        }
        const { answer } = await ask(tokenUrls[0] ?? "")
        const { asked, proof, answer: first } = await ask(tokenUrls[1] ?? "", answer.header("dpop-nonce"))
        requireStatus("at one instance, with the nonce of the other", first, 200)
        for (const tokenUrl of tokenUrls) {
          const again = await send(tokenUrl, withHeaders(asked, [["dpop", proof]]))
          requireEqual("again", again.body.error, "invalid_dpop_proof")
        }
      } finally {
        await second.close()
      }
    },
  },
  {
    id: "N-7009-1",
    clause: "RFC 7009 §2.2",
    promise: "a token revoked at one instance is refused by every other within 5 s",
    async check(fixture) {
      const second = await fixture.openSecondInstance()
      try {
        const token = await tokenOf(fixture.direct)
        requireStatus("before", await shownTo(second.origin, fixture, token), 200)
        const { id, secret } = fixture.direct.access.client ?? { id: "", secret: "" }
        const asked = form({ token, client_id: id, client_secret: secret })
        requireStatus("a revocation", await send(`${fixture.direct.access.url}/revoke`, asked), 200)
        const deadline = performance.now() + 5000
        let answer = await shownTo(second.origin, fixture, token)
        while (answer.status === 200 && performance.now() < deadline) {
          await delay(100)
          answer = await shownTo(second.origin, fixture, token)
        }
        requireStatus("after it, at the other instance", answer, 401)
      } finally {
        await second.close()
      }
    },
  },
  {
    id: "N-7009-2",
    clause: "RFC 7009 §2.2.1",
    promise: "without the store a revocation gets 503 with Retry-After, and the token stays valid",
    async check(fixture) {
      const second = await fixture.openSecondInstance()
      try {
        const token = await tokenOf(fixture.direct)
        // The store is closed, and the instance still listens.
        await second.issuer.close()
        const answer = await send(`${second.origin}/cinema/revoke`, form({ token }))
        requireStatus("a revocation", answer, 503)
        requireThat(Number(answer.header("retry-after")) > 0, "found no Retry-After, wanted one")
        requireStatus(
          "at another instance",
          await shownTo(new URL(fixture.direct.access.url).origin, fixture, token),
          200,
        )
      } finally {
        await second.close()
      }
    },
  },
  {
    id: "N-9700-3",
    clause: "RFC 9700 §4.9, §4.10",
    promise: "no token reaches the service behind nginx, or a log",
    async check({ upstream, logged }) {
      requireThat(logged.length > 20, `found ${logged.length} log lines, wanted more than 20`)
      // Every token here begins with the base64url of `{"alg"`.
      const token = /eyJhbGciOi/
      requireThat(!logged.some((line) => token.test(line)), "found a token in a log")
      if (upstream.length === 0) throw new NotRun("needs nginx")
      requireThat(
        !upstream.some((headers) => token.test(JSON.stringify(headers))),
        "found a token behind nginx",
      )
    },
  },
  {
    id: "N-9700-5",
    clause: "RFC 9700 §4.13",
    promise: "proxy headers of the caller do not reach the service behind nginx",
    async check(fixture) {
      const { proxied, upstream } = fixture
      if (!proxied) throw new NotRun("needs nginx")
      const token = await tokenOf(proxied)
      const names = ["ticket402-subject", "ticket402-grant", "ticket402-scope", "ticket402-paid"]
      const forgedNames = [
        ...names,
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "dpop",
      ]
      const headers = [
        ["authorization", `Bearer ${token}`],
        ...forgedNames.map((name) => [name, "evil"]),
      ] as const
      const before = upstream.length
      const fields = headers.map(([name = "", value = ""]) => [name, value] as const)
      requireStatus(
        "with all of them",
        await send(`${proxied.access.url}${proxied.access.route}`, { headers: fields }),
        200,
      )
      requireEqual("requests behind nginx", upstream.length - before, 1)
      requireThat(
        !JSON.stringify(upstream.at(-1)).includes("evil"),
        "found a header of the caller behind nginx",
      )
    },
  },
]
