/** Keeps the admin tokens: each in a file of its own, made at the first start, compared by hash. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { dirname } from "node:path"
import type { AdminIdentity, AdminTokens } from "../ports/admin-tokens.ts"
import type { Logger } from "../ports/runtime.ts"
import { createFolder, createSecret, KeyFileError, replaceSecret } from "./files.ts"
import { readMountedSecret } from "./mounted-secret.ts"

export type AdminTokenFile = AdminIdentity & { readonly file: string }

type KnownToken = { readonly identity: AdminIdentity; readonly sha256: Buffer }

/** At least 256 bits in base64url; fewer than 20 different characters are typed, not drawn by chance. */
const tokenPattern = /^[A-Za-z0-9_-]{43,512}$/
const leastCharacters = 20

/**
 * Creates missing files, and logs their paths. Throws {@link KeyFileError} for a file that others could have read, that
 * holds no token, or that holds the token of another file.
 */
export async function openAdminTokens(
  files: readonly AdminTokenFile[],
  { log }: { readonly log: Pick<Logger, "info" | "error"> },
): Promise<AdminTokens> {
  for (const { name, file } of files)
    if (await createMissing(file)) log.info({ name, file }, "an admin token was created in this file")
  let known: readonly KnownToken[] = []
  for (const each of files) known = [...known, await readToken(each, known)]

  async function refresh(): Promise<void> {
    const found: KnownToken[] = []
    for (const each of files)
      try {
        found.push(await readToken(each, found))
      } catch (error) {
        log.error(
          { err: error, name: each.name },
          "an admin token cannot be read; it is refused until it can",
        )
      }
    known = found
  }

  return { find: (token) => findByHash(known, token), refresh }
}

/** Looks at every token, so that the time says nothing of which one is near. */
function findByHash(known: readonly KnownToken[], token: string): AdminIdentity | undefined {
  const sha256 = hashOf(token)
  const [found] = known.filter((each) => timingSafeEqual(each.sha256, sha256))
  return found?.identity
}

/** Puts a new token in place of the old one, which running processes refuse within 5 s. Throws {@link KeyFileError}. */
export const rotateAdminToken = (file: string): Promise<void> => replaceSecret(file, newToken())

async function createMissing(file: string): Promise<boolean> {
  if ((await readMountedSecret(file)) !== undefined) return false
  await createFolder(dirname(file))
  return createSecret(file, newToken())
}

async function readToken(
  { name, role, file }: AdminTokenFile,
  others: readonly KnownToken[],
): Promise<KnownToken> {
  const token = (await readMountedSecret(file))?.trim()
  if (token === undefined) throw new KeyFileError(`${file}: was removed, wanted the admin token ${name}`)
  if (!tokenPattern.test(token) || new Set(token).size < leastCharacters)
    throw new KeyFileError(
      `${file}: wanted 32 random bytes in base64url; without the file, a token is created`,
    )
  const sha256 = hashOf(token)
  if (others.some((other) => other.sha256.equals(sha256)))
    throw new KeyFileError(`${file}: found the token of another file, wanted one of its own`)
  return { identity: { name, role }, sha256 }
}

const newToken = (): string => `${randomBytes(32).toString("base64url")}\n`

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest()
