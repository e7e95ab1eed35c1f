/** The README and the documents beside it, whose examples the tests run. */
import { readdirSync, readFileSync } from "node:fs"

const root = new URL("../../", import.meta.url)
const paths = [
  "README.md",
  ...readdirSync(new URL("docs/", root))
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => `docs/${file}`),
]

/** Their texts, by their paths from the root. */
export const documents: ReadonlyMap<string, string> = new Map(
  paths.map((path) => [path, readFileSync(new URL(path, root), "utf8")]),
)

/** All of them as one text. */
export const prose = [...documents.values()].join("\n")

/** The bodies of the fences of a language, in order. */
export const fences = (language: string): string[] =>
  [...prose.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, body]) => body ?? "",
  )

/** The one example of a language that holds a text. */
export function example(part: string, language = "ts"): string {
  const [found = "", ...others] = fences(language).filter((body) => body.includes(part))
  if (found === "" || others.length > 0) throw new Error(`found not one example with ${part}`)
  return found
}
