import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StoreFileError } from "../../../server/ports/store.ts"
import { openPostgresStore } from "../../../server/stores/postgres/store.ts"
import { makeCertificate } from "../../support/certificate.ts"
import { createDatabase } from "../../support/postgres/run.ts"
import { type PostgresServer, startPostgres } from "../../support/postgres/server.ts"

let folder: string
let server: PostgresServer
const fileOf = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tls-"))
  makeCertificate(folder, "stranger", "IP:127.0.0.1")
  server = await startPostgres({ certificate: makeCertificate(folder, "server", "IP:127.0.0.1") })
})
afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true })
})

const open = (query: string, url = server.url()) =>
  openPostgresStore({ url: `${url}?${query}`, deadlineMs: 500 })

describe("a connection to PostgreSQL with TLS", () => {
  it("is encrypted once certificate and host name are as wanted", async () => {
    for (const mode of ["verify-full", "require"]) {
      const store = await open(`sslmode=${mode}&sslrootcert=${encodeURIComponent(fileOf("server.pem"))}`)
      expect(await store.generation()).toMatch(/^[0-9a-f]{32}$/)
      await store.close()
    }
  })

  it.each([
    ["by nobody known", () => open("sslmode=verify-full"), "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["by nobody known, for sslmode=require", () => open("sslmode=require"), "DEPTH_ZERO_SELF_SIGNED_CERT"],
    [
      "by another",
      () => open(`sslmode=verify-full&sslrootcert=${encodeURIComponent(fileOf("stranger.pem"))}`),
      "SELF_SIGNED_CERT",
    ],
    [
      "for another host",
      () =>
        open(
          `sslmode=verify-full&sslrootcert=${encodeURIComponent(fileOf("server.pem"))}`,
          server.url().replace("127.0.0.1", "localhost"),
        ),
      "ERR_TLS_CERT_ALTNAME_INVALID",
    ],
  ])("is refused when the certificate is signed %s", async (_, opening, code) => {
    const error = await opening().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreFileError)
    expect(String(error)).toContain(code)
  })

  it("is refused by name when the server has none, and never falls back to plain text", async () => {
    const database = await createDatabase()
    const error = await openPostgresStore({
      url: `${database.url}?sslmode=verify-full`,
      deadlineMs: 500,
    }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreFileError)
    expect(String(error)).toContain("found a server without TLS")
    await database.drop()
  })
})
