/** Finds the path by which the route table knows a request whose first segments a proxy has removed. */

export type ServedPath = (path: string) => string | undefined

/** `issuer`: the public URL, whose path the proxy may remove in whole or in part. */
export function createServedPath(issuer: string, serves: (path: string) => boolean): ServedPath {
  const prefixes = prefixesOf(issuer)
  return (path) => prefixes.map((prefix) => prefix + path).find(serves)
}

/** The paths at which a request for `path` of the service can arrive, the whole one first. */
export const arrivalsOf = (issuer: string, path: string): readonly string[] =>
  prefixesOf(issuer).map((prefix) => path.slice(prefix.length))

/** For `https://x/a/b`: nothing, `/a` and `/a/b`. */
function prefixesOf(issuer: string): readonly string[] {
  const segments = new URL(issuer).pathname.split("/").filter((segment) => segment !== "")
  return ["", ...segments.map((_, at) => `/${segments.slice(0, at + 1).join("/")}`)]
}
