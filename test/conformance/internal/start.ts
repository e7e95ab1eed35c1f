/** Rules for the start of a service. */
import { generateKeyPairSync } from "node:crypto"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { JWK } from "jose"
import { createIssuer } from "../../../server/app/issuer.ts"
import type { IssuerOptions } from "../../../server/app/issuer-options.ts"
import { ConfigError, type ConfigInput } from "../../../server/config/config.ts"
import { KeyFileError } from "../../../server/keys/files.ts"
import { openKeys } from "../../../server/keys/index.ts"
import { readRing } from "../../support/key-folder.ts"
import type { Fixture } from "../fixture.ts"
import { requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"

/** Requires that the start fails with this error. */
async function requireStartError(
  what: string,
  config: ConfigInput,
  kind: new (...given: never[]) => Error,
  options: IssuerOptions = {},
): Promise<void> {
  const issuer = await createIssuer(config, options).catch((error: unknown) => {
    if (!(error instanceof kind)) throw error
  })
  await issuer?.close()
  requireThat(issuer === undefined, `${what}: found a service that starts, wanted an error`)
}

const configWith = (fixture: Fixture, change: Partial<ConfigInput> = {}): ConfigInput => ({
  ...fixture.direct.config,
  database: "memory:",
  logLevel: "silent",
  offers: fixture.direct.config.offers.slice(0, 1),
  ...change,
})

type Ring = Awaited<ReturnType<typeof readRing>>

/** A key folder with a changed key ring. */
async function folderWithRing(
  fixture: Fixture,
  name: string,
  change: (ring: Ring) => unknown,
): Promise<string> {
  const folder = join(fixture.folder, name)
  await openKeys(folder)
  const ring = await readRing(folder)
  const file = join(folder, "ring-1.json")
  await rm(file)
  await writeFile(file, JSON.stringify(change(ring)), { mode: 0o600 })
  return folder
}

export const startRules: readonly Rule<Fixture>[] = [
  {
    id: "N-6750-6",
    clause: "RFC 6750 §5.3",
    promise: "a service on plain http at a public address starts only with allowInsecureHttp",
    async check(fixture) {
      const config = configWith(fixture, { issuer: "http://cinema.example" })
      await requireStartError("http", config, ConfigError)
      await requireStartError(
        "a life of two hours",
        configWith(fixture, { tokenLifeSeconds: 7200 }),
        ConfigError,
      )
      const issuer = await createIssuer({ ...config, allowInsecureHttp: true })
      await issuer.close()
    },
  },
  {
    id: "N-8725-2",
    clause: "RFC 8725 §3.2, §3.5",
    promise: "short keys and RSA keys stop the start",
    async check(fixture) {
      const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({
        format: "jwk",
      }) as JWK
      const rings: Record<string, (ring: Ring) => unknown> = {
        "a secret of 128 bits": (ring) => ({
          ...ring,
          refresh: ring.refresh.map((key) => ({ ...key, secret: key.secret.slice(0, 32) })),
        }),
        "a secret that can be guessed": (ring) => ({
          ...ring,
          refresh: ring.refresh.map((key) => ({ ...key, secret: "0".repeat(64) })),
        }),
        "an RSA key of 1024 bits": (ring) => ({
          ...ring,
          access: ring.access.map((key) => ({ ...key, alg: "RS256", jwk: rsa })),
        }),
      }
      for (const [what, change] of Object.entries(rings)) {
        const keys = await folderWithRing(fixture, what, change)
        await requireStartError(what, configWith(fixture, { keys }), KeyFileError)
      }
      const signer = {
        kid: "rsa",
        alg: "ES256" as const,
        publicJwk: rsa,
        sign: async () => new Uint8Array(64),
      }
      const config = configWith(fixture, { keys: join(fixture.folder, "signer") })
      await requireStartError("a signer with an RSA key", config, KeyFileError, { signer })
    },
  },
]
