/** A private key at rest: a Web3 Secret Storage file, version 3, as wallets write and read it. */
import { pbkdf2, randomBytes, scrypt } from "node:crypto"
import { promisify } from "node:util"
import * as Keystore from "ox/Keystore"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import { z } from "zod"
import { type Address, type Hex, parseAddress } from "../../shared/values/evm.ts"
import { CommandError } from "./failures.ts"

/** OWASP's second choice for scrypt; 128 MiB and a third of a second. */
const cost = { n: 2 ** 17, r: 8, p: 1 } as const
const keyBytes = 32
/** A file that asks for more is none that a wallet has written. */
const mostMemoryBytes = 2 ** 30

const hex = (bytes?: number) =>
  z.string().regex(bytes === undefined ? /^(?:[0-9a-f]{2})+$/i : new RegExp(`^[0-9a-f]{${2 * bytes}}$`, "i"))
const whole = z.int().positive()

const schema = z.object({
  version: z.literal(3),
  id: z.string(),
  // Not of the standard, but of most wallets; checked once the key is open.
  address: z
    .string()
    .transform((text, context) => {
      const address = parseAddress(text.startsWith("0x") ? text : `0x${text}`)
      if (!address) context.addIssue({ code: "custom", message: "wanted an address" })
      return address ?? z.NEVER
    })
    .optional(),
  crypto: z.intersection(
    z.object({
      cipher: z.literal("aes-128-ctr"),
      ciphertext: hex(32),
      cipherparams: z.object({ iv: hex(16) }),
      mac: hex(32),
    }),
    z.discriminatedUnion("kdf", [
      z.object({
        kdf: z.literal("scrypt"),
        kdfparams: z
          .object({ dklen: z.literal(keyBytes), n: whole, r: whole, p: whole, salt: hex() })
          .refine(({ n, r }) => 128 * n * r <= mostMemoryBytes, "wanted less memory"),
      }),
      z.object({
        kdf: z.literal("pbkdf2"),
        kdfparams: z.object({
          dklen: z.literal(keyBytes),
          c: whole.max(10_000_000),
          prf: z.literal("hmac-sha256"),
          salt: hex(),
        }),
      }),
    ]),
  ),
})

export type KeyFile = z.infer<typeof schema>

/** Throws a {@link CommandError} that names the wrong member. */
export function parseKeyFile(text: string): KeyFile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new CommandError("The account file is no JSON.")
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const member = parsed.error.issues[0]?.path.join(".") || "the whole"
  throw new CommandError(`The account file is no Web3 Secret Storage file of version 3: ${member} is wrong.`)
}

/** The text of a file that holds the key under the password. */
export async function sealKey(privateKey: Hex, address: Address, password: string): Promise<string> {
  const salt = randomBytes(32)
  const kdfparams = { dklen: keyBytes, ...cost, salt: salt.toString("hex") } as const
  const key = await deriveKey(password, { kdfparams })
  const sealed = Keystore.encrypt(privateKey, key, { kdf: "scrypt", kdfparams, iv: randomBytes(16) })
  return `${JSON.stringify({ address: address.slice(2), ...sealed })}\n`
}

/** Throws a {@link CommandError} for a wrong password. */
export async function openKey(file: KeyFile, password: string): Promise<PrivateKeyAccount> {
  const { address, ...keystore } = file
  const key = await deriveKey(password, file.crypto)
  let account: PrivateKeyAccount
  try {
    account = privateKeyToAccount(Keystore.decrypt(keystore as Keystore.Keystore, key))
  } catch {
    throw new CommandError("The password is wrong, or the account file is damaged.")
  }
  if (address && parseAddress(account.address) !== address)
    throw new CommandError("The account file names another address than that of its key.")
  return account
}

/** By Node itself: faster than in JavaScript by far, and beside the event loop. */
async function deriveKey(
  password: string,
  { kdfparams }: Pick<KeyFile["crypto"], "kdfparams">,
): Promise<Hex> {
  const salt = Buffer.from(kdfparams.salt, "hex")
  const derived =
    "n" in kdfparams
      ? await promisify<string, Buffer, number, object, Buffer>(scrypt)(password, salt, keyBytes, {
          N: kdfparams.n,
          r: kdfparams.r,
          p: kdfparams.p,
          maxmem: mostMemoryBytes + 2 ** 26,
        })
      : await promisify(pbkdf2)(password, salt, kdfparams.c, keyBytes, "sha256")
  return `0x${derived.toString("hex")}`
}
