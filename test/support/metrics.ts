/** Reads the text format of Prometheus. */

/** Values as they are written, by name and labels, such as `calls_total{outcome="passed"}`. */
export type Scrape = ReadonlyMap<string, string>

export function readScrape(text: string): Scrape {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  const pairs = lines.map((line): [string, string] => {
    const at = line.lastIndexOf(" ")
    return [line.slice(0, at), line.slice(at + 1)]
  })
  if (new Set(pairs.map(([series]) => series)).size < pairs.length)
    throw new Error("found two values with the same labels")
  return new Map(pairs)
}

/** The sum over all series of a metric whose labels contain these. */
export function sumOf(scrape: Scrape, name: string, ...labels: readonly string[]): bigint {
  const found = [...scrape].filter(
    ([series]) =>
      (series === name || series.startsWith(`${name}{`)) && labels.every((label) => series.includes(label)),
  )
  return found.reduce((sum, [, value]) => sum + BigInt(value), 0n)
}
