/** Reads the address of a PostgreSQL database, `postgres://USER@HOST:PORT/DATABASE`. */
import { readFileSync } from "node:fs"
import { StoreFileError } from "../../ports/store.ts"

export type Address = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Without one pg takes `PGPASSWORD` of the environment. */
  readonly password: string | undefined
  /** False for plain text. */
  readonly tls: { readonly ca: string | undefined } | false
  /** The address without its password, for messages. */
  readonly place: string
}

/** The address without its password. */
export const placeOf = (url: string): string =>
  url.replace(/\/\/.*@/s, (login) => login.replace(/:.*@$/s, "@"))

const form = "postgres://USER@HOST:PORT/DATABASE"
const parameters = ["sslmode", "sslrootcert"]
const checked = ["require", "verify-ca", "verify-full"]

/** Throws {@link StoreFileError}. The host may be the folder of a socket, written with `%2F`. */
export function readAddress(url: string, passwordFile: string | undefined): Address {
  const place = placeOf(url)
  const refuse = (found: string, wanted: string) =>
    new StoreFileError(`${place}: found ${found}, wanted ${wanted}`)
  const { hostname, port, username, pathname, password, searchParams, hash } = partsOf(url, refuse)
  const unknown = [...searchParams.keys()].find((name) => !parameters.includes(name))
  if (unknown !== undefined) throw refuse(`the parameter ${unknown}`, `only ${parameters.join(" and ")}`)
  if (hash) throw refuse("a fragment", "none; write # as %23")
  if (hostname === "" || username === "" || !/^\/[^/]+$/.test(pathname))
    throw refuse("no host, user or database", form)
  if (password && passwordFile !== undefined)
    throw refuse("a password besides databasePasswordFile", "one of them")
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return {
    host,
    port: Number(port || 5432),
    user: username,
    database: pathname.slice(1),
    password:
      passwordFile === undefined
        ? password || undefined
        : readText(place, "databasePasswordFile", passwordFile).trimEnd(),
    tls: readTls(searchParams, { host, place }, refuse),
    place,
  }
}

type Refuse = (found: string, wanted: string) => StoreFileError

function partsOf(url: string, refuse: Refuse) {
  try {
    const { hostname, port, username, pathname, password, searchParams, hash } = new URL(url)
    const [host = "", user = "", path = "", secret = ""] = [hostname, username, pathname, password].map(
      decodeURIComponent,
    )
    return { hostname: host, port, username: user, pathname: path, password: secret, searchParams, hash }
  } catch {
    throw refuse("no URL", form)
  }
}

/**
 * A connection that leaves this machine is encrypted, and the certificate is checked with the host's name. The modes of
 * libpq that encrypt without a check are held to it too; those that fall back to plain text are refused.
 */
function readTls(
  searchParams: URLSearchParams,
  { host, place }: Pick<Address, "host" | "place">,
  refuse: Refuse,
): Address["tls"] {
  const mode = searchParams.get("sslmode") ?? (isLocal(host) ? "disable" : "verify-full")
  if (mode !== "disable" && !checked.includes(mode))
    throw refuse(`sslmode=${mode}`, "verify-full, or disable for plain text")
  const file = searchParams.get("sslrootcert")
  if (mode === "disable") {
    if (file !== null) throw refuse("sslrootcert without TLS", "sslmode=verify-full")
    return false
  }
  return { ca: file === null ? undefined : readText(place, "sslrootcert", file) }
}

const isLocal = (host: string): boolean =>
  host.startsWith("/") || host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** The message names the setting, because a path may tell more than its reader should know. */
function readText(place: string, setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "unknown"
    throw new StoreFileError(`${place}: ${setting} cannot be read (${code})`)
  }
}
