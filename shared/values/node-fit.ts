/** Checks that a version of Node.js can run ticket402, and that better-sqlite3 can run on it. */

/** As `engines` of package.json: 21 is not supported by packages that ticket402 needs. */
const oldestMinor = 12

/** Undefined when it fits, else a sentence. */
export function checkNode(node: string): string | undefined {
  const [major, minor] = partsOf(node)
  if (major >= 22 || (major === 20 && minor >= oldestMinor)) return undefined
  return `found Node.js ${node}, wanted 20.${oldestMinor} or later of 20, or 22 and later`
}

/** By major version of better-sqlite3: the oldest major version of Node.js. 13 ends the process on Node.js 20. */
const oldestNode: Readonly<Record<number, number>> = { 12: 20, 13: 22 }

export function checkSqlite(
  sqlite: string,
  node: string,
): { readonly found: string; readonly wanted: string } | undefined {
  const fits = (oldest: number | undefined): boolean => oldest !== undefined && partsOf(node)[0] >= oldest
  if (fits(oldestNode[partsOf(sqlite)[0]])) return undefined
  const fitting = Object.keys(oldestNode).filter((major) => fits(oldestNode[Number(major)]))
  return {
    found: `better-sqlite3 ${sqlite} on Node.js ${node}`,
    wanted: `version ${fitting.join(" or ")}: npm i better-sqlite3@${fitting.at(-1)}`,
  }
}

function partsOf(version: string): readonly [major: number, minor: number] {
  const [major, minor] = version.split(".").map(Number)
  return [major ?? 0, minor ?? 0]
}
