/** Rules of how a service starts, what stands behind it, and how the client behaves: nothing that an address shows. */
import { generateKeyPairSync } from "node:crypto"
import { rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { JWK } from "jose"
import { createClient, createVerifier, TicketError } from "../../client/index.ts"
import { createIssuer, type IssuerOptions } from "../../server/app.ts"
import { ConfigError, type ConfigInput } from "../../server/config.ts"
import { KeyFileError } from "../../server/keys/files.ts"
import { openKeys } from "../../server/keys/index.ts"
import { encodeHeader } from "../../shared/codec.ts"
import { paymentRequiredHeader } from "../../shared/x402.ts"
import { readRing } from "../../test/support/key-folder.ts"
import { createProofKey, proofOf } from "../../test/support/proofs.ts"
import type { House } from "./house.ts"
import type { Rule } from "./rule.ts"
import { Unseen, want, wantSame, wantStatus } from "./want.ts"
import { type Answer, form, send, withHeaders } from "./wire.ts"

/** Starts a service that must not start, and wants that error of it. */
async function wantNoStart(
  what: string,
  config: ConfigInput,
  kind: new (...given: never[]) => Error,
  options: IssuerOptions = {},
): Promise<void> {
  const issuer = await createIssuer(config, options).catch((error: unknown) => {
    if (!(error instanceof kind)) throw error
  })
  await issuer?.close()
  want(issuer === undefined, `${what}: found a service that starts, wanted none`)
}

const startable = (house: House, change: Partial<ConfigInput> = {}): ConfigInput => ({
  ...house.direct.config,
  database: "memory:",
  logLevel: "silent",
  offers: house.direct.config.offers.slice(0, 1),
  ...change,
})

type Ring = Awaited<ReturnType<typeof readRing>>

/** A key folder whose ring was changed. */
async function spoiled(house: House, name: string, change: (ring: Ring) => unknown): Promise<string> {
  const folder = join(house.folder, name)
  await openKeys(folder)
  const ring = await readRing(folder)
  const file = join(folder, "ring-1.json")
  await rm(file)
  await writeFile(file, JSON.stringify(change(ring)), { mode: 0o600 })
  return folder
}

/** A server that counts who comes. */
async function openPlace(
  answer: (path: string, url: string) => { headers?: Record<string, string>; body: object },
) {
  const visits: string[] = []
  const server = createServer((request, response) => {
    visits.push(request.url ?? "")
    const { headers, body } = answer(request.url ?? "", url)
    const status = headers?.[paymentRequiredHeader] === undefined ? 200 : 402
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url, visits, close }
}

async function wantOption(what: string, make: () => unknown): Promise<void> {
  try {
    make()
  } catch (error) {
    if (error instanceof TicketError) return
    throw error
  }
  want(false, `${what}: found no refusal, wanted one`)
}

/** A token of the direct service, without a payment. */
async function tokenOf({ direct }: House): Promise<string> {
  const { id, secret } = direct.means.client ?? { id: "", secret: "" }
  const asked = form({ grant_type: "client_credentials", client_id: id, client_secret: secret })
  return String((await send(`${direct.means.url}/token`, asked)).body.access_token)
}

const shownTo = (origin: string, { direct }: House, token: string): Promise<Answer> =>
  send(`${origin}${direct.means.route}`, { headers: [["authorization", `Bearer ${token}`]] })

export const insideRules: readonly Rule<House>[] = [
  {
    id: "N-6750-6",
    clause: "RFC 6750 §5.3",
    promise: "a service on plain http that others can reach does not start unless it is told to",
    async check(house) {
      const config = startable(house, { issuer: "http://cinema.example" })
      await wantNoStart("http", config, ConfigError)
      await wantNoStart("a life of two hours", startable(house, { tokenLifeSeconds: 7200 }), ConfigError)
      const issuer = await createIssuer({ ...config, allowInsecureHttp: true })
      await issuer.close()
    },
  },
  {
    id: "N-8725-2",
    clause: "RFC 8725 §3.2, §3.5",
    promise: "keys that are too short, or RSA, stop the start",
    async check(house) {
      const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({
        format: "jwk",
      }) as JWK
      const rings: Record<string, (ring: Ring) => unknown> = {
        "a secret of 128 bits": (ring) => ({
          ...ring,
          refresh: ring.refresh.map((key) => ({ ...key, secret: key.secret.slice(0, 32) })),
        }),
        "a secret that is guessed": (ring) => ({
          ...ring,
          refresh: ring.refresh.map((key) => ({ ...key, secret: "0".repeat(64) })),
        }),
        "an RSA key of 1024 bits": (ring) => ({
          ...ring,
          access: ring.access.map((key) => ({ ...key, alg: "RS256", jwk: rsa })),
        }),
      }
      for (const [what, change] of Object.entries(rings)) {
        const keys = await spoiled(house, what, change)
        await wantNoStart(what, startable(house, { keys }), KeyFileError)
      }
      const signer = {
        kid: "rsa",
        alg: "ES256" as const,
        publicJwk: rsa,
        sign: async () => new Uint8Array(64),
      }
      const config = startable(house, { keys: join(house.folder, "signer") })
      await wantNoStart("a signer with an RSA key", config, KeyFileError, { signer })
    },
  },
  {
    id: "N-8414-1",
    clause: "RFC 8414 §3.3",
    promise: "a verifier refuses metadata of another issuer, and lets nobody in by it",
    async check(house) {
      const other = await openPlace((path, url) => ({
        body: path.includes("oauth-authorization-server")
          ? {
              issuer: `${url}/other`,
              jwks_uri: `${url}/jwks`,
              revocations_uri: `${url}/list`,
              gate_uri: `${url}/gate`,
            }
          : { keys: [] },
      }))
      const verifier = createVerifier({ issuer: other.url })
      try {
        const verdict = await verifier.check(`Bearer ${await tokenOf(house)}`, "movies:read")
        wantSame("verdict", [verdict.kind, "status" in verdict && verdict.status], ["refuse", 503])
        want(!other.visits.includes("/jwks"), "found that it asked the keys of another issuer")
      } finally {
        verifier.close()
        other.close()
      }
    },
  },
  {
    id: "N-9728-3",
    clause: "RFC 9728 §7.7",
    promise: "the client fetches nothing from where an answer points, and nothing over plain http",
    async check(house) {
      for (const issuer of ["http://10.0.0.1", "http://cinema.example", "ftp://cinema.example"])
        await wantOption(issuer, () => createVerifier({ issuer }).close())
      const trap = await openPlace(() => ({ body: {} }))
      const quote = {
        x402Version: 2,
        error: "token_missing",
        resource: { url: trap.url },
        accepts: [],
        extensions: {
          "access-token": { info: { tokenEndpoint: `${trap.url}/token`, resource: trap.url, offers: {} } },
        },
      }
      const lure = await openPlace((_path, url) => ({
        headers: {
          [paymentRequiredHeader]: encodeHeader(quote),
          "www-authenticate": `Bearer realm="${url}", resource_metadata="${trap.url}/.well-known/oauth-protected-resource"`,
        },
        body: quote,
      }))
      const turned = await openPlace((_path, url) => ({
        body: {
          issuer: url,
          jwks_uri: `${trap.url}/jwks`,
          revocations_uri: `${trap.url}/l`,
          gate_uri: `${trap.url}/g`,
        },
      }))
      const verifier = createVerifier({ issuer: turned.url })
      try {
        const { payer } = house.direct.means
        if (!payer) throw new Unseen("needs an account that pays")
        const client = createClient({
          account: payer.account,
          budget: { perPurchase: "1", perDay: "1" },
          networks: [payer.network],
        })
        await client.fetch(`${lure.url}/movies/1`).catch((error: unknown) => {
          if (!(error instanceof TicketError)) throw error
        })
        await verifier.check(`Bearer ${await tokenOf(house)}`, "movies:read")
        want(lure.visits.length > 0 && turned.visits.length > 0, "found that nothing was asked at all")
        wantSame("requests to where the answers point", trap.visits, [])
      } finally {
        verifier.close()
        for (const place of [trap, lure, turned]) place.close()
      }
    },
  },
  {
    id: "N-9449-6",
    clause: "RFC 9449 §11.1",
    promise: "a proof is taken once, whichever process sees it first",
    async check(house) {
      const { url } = house.direct.means
      const mate = await house.openMate()
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
    async check(house) {
      const mate = await house.openMate()
      try {
        const token = await tokenOf(house)
        wantStatus("before", await shownTo(mate.origin, house, token), 200)
        const { id, secret } = house.direct.means.client ?? { id: "", secret: "" }
        const asked = form({ token, client_id: id, client_secret: secret })
        wantStatus("a revocation", await send(`${house.direct.means.url}/revoke`, asked), 200)
        const deadline = performance.now() + 5000
        let answer = await shownTo(mate.origin, house, token)
        while (answer.status === 200 && performance.now() < deadline) {
          await delay(100)
          answer = await shownTo(mate.origin, house, token)
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
    async check(house) {
      const mate = await house.openMate()
      try {
        const token = await tokenOf(house)
        // What holds its store is gone, and it still listens.
        await mate.issuer.close()
        const answer = await send(`${mate.origin}/cinema/revoke`, form({ token }))
        wantStatus("a revocation", answer, 503)
        want(Number(answer.header("retry-after")) > 0, "found no Retry-After, wanted it")
        wantStatus(
          "at another process",
          await shownTo(new URL(house.direct.means.url).origin, house, token),
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
    async check(house) {
      const { proxied, upstream } = house
      if (!proxied) throw new Unseen("needs nginx")
      const { id, secret } = proxied.means.client ?? { id: "", secret: "" }
      const asked = form({ grant_type: "client_credentials", client_id: id, client_secret: secret })
      const token = String((await send(`${proxied.means.url}/token`, asked)).body.access_token)
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
