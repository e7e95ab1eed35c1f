/** Bundles the client for a browser and finds code of Node or of the server in the bundle. */
import { fileURLToPath } from "node:url"
import { type BuildOptions, build } from "esbuild"

const root = fileURLToPath(new URL("../..", import.meta.url))
/** Packages for Node, and words that only Node knows. */
const foreign =
  /better-sqlite3|\b(?:express|pino|undici|axios|commander|env-paths)\b|@modelcontextprotocol|node:|\bBuffer\.|\bprocess\.|\brequire\(/
/** An entry of the client with everything it brings, as one module. */
export async function browserBundle(entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // What must not be there is found in the text, with the name of the module that wants it.
    external: ["node:*", "better-sqlite3", "express"],
    nodePaths: [fileURLToPath(new URL("../../node_modules", import.meta.url))],
    legalComments: "none",
    logLevel: "silent",
    ...options,
  })
  return outputFiles?.[0]?.text ?? ""
}

/** Each line that must not be in a bundle, behind the name of its module. */
export function leaks(bundle: string): string[] {
  let module = ""
  return bundle.split("\n").flatMap((line) => {
    if (/^\/\/ \S+\.[mc]?[jt]s$/.test(line)) module = line.slice(3)
    return foreign.test(line) ? [`${module}: ${line.trim().slice(0, 80)}`] : []
  })
}
