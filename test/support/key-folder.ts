/** Key folders for tests: opens, ages and reads them, and creates an external signer. */
import { createHash, generateKeyPairSync, randomUUID, sign as signBytes } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { JWK } from "jose"
import { openKeys, type Signer } from "../../server/keys/index.ts"
import type { KeyRing } from "../../server/keys/ring.ts"

/** The ring as the folder holds it, private keys included. */
export async function readRing(folder: string): Promise<KeyRing> {
  const [name] = (await readdir(folder)).filter((file) => /^ring-\d+\.json$/.test(file))
  return JSON.parse(await readFile(join(folder, name ?? ""), "utf8"))
}

/** Opens a ring whose next key was published long enough ago to become active. */
export async function openAgedKeys(folder: string, seconds = 3600): Promise<void> {
  await openKeys(folder, { now: () => Math.floor(Date.now() / 1000) - seconds })
}

/** A signer with the interface of a KMS: a key id, a public key and a function that signs. */
export function createExternalSigner(
  alg: Signer["alg"] = "ES256",
): Signer & { signed: number; fault?: Error } {
  const { privateKey, publicKey } =
    alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519")
  const signer: Signer & { signed: number; fault?: Error } = {
    kid: createHash("sha256").update(randomUUID()).digest("hex").slice(0, 16),
    alg,
    publicJwk: publicKey.export({ format: "jwk" }) as JWK,
    signed: 0,
    async sign(bytes) {
      if (signer.fault) throw signer.fault
      signer.signed += 1
      return alg === "ES256"
        ? signBytes("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" })
        : signBytes(null, bytes, privateKey)
    },
  }
  return signer
}
