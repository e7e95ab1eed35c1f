/** Brings the path of a proxied request into the one spelling that is matched and forwarded. */

/** The characters of a URL's path (RFC 3986 §3.3), without `;`: some servers cut paths there. */
const plainPath = /^(?:\/[A-Za-z0-9._~!$&'()*+,=:@%-]*)+$/
/** An encoded slash, backslash, semicolon or control character, and a percent sign that a second decoding would use. */
const hiddenPart = /%(?:2F|5C|3B|[01][0-9A-F]|7F|25[0-9A-F]{2})/i
const unreserved = /^[A-Za-z0-9._~-]$/

/**
 * Returns the canonical spelling: unreserved characters unencoded, all other escapes in capitals (RFC 3986 §6.2.2).
 * Undefined for a path that servers read in different ways.
 */
export function canonicalPath(path: string): string | undefined {
  if (!plainPath.test(path) || hiddenPart.test(path)) return undefined
  if (path.replace(/%[0-9A-Fa-f]{2}/g, "").includes("%")) return undefined
  const canonical = path.replace(/%[0-9A-Fa-f]{2}/g, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return unreserved.test(character) ? character : code.toUpperCase()
  })
  const folded = foldedPath(canonical)
  return folded === undefined || isAmbiguous(canonical) || isAmbiguous(folded) ? undefined : canonical
}

/**
 * The path as a lenient server may read it: decoded, without compatibility forms of letters, and without case. Undefined
 * where the escapes are no UTF-8.
 */
export function foldedPath(canonical: string): string | undefined {
  try {
    return decodeURIComponent(canonical).normalize("NFKC").toUpperCase().toLowerCase()
  } catch {
    return undefined
  }
}

/** Empty segments inside, dot segments, backslashes and path parameters. */
const isAmbiguous = (path: string): boolean => /\/\/|\\|;|\/\.{1,2}(?:\/|$)/.test(path)

/** A query is passed on as it came, within the characters that a request line may hold. */
export const isQuery = (query: string): boolean => /^[!-~]*$/.test(query) && !query.includes("#")
